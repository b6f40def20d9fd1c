"""What a 404 means on a route that names nothing but a dataset: the service answers "Not found." without its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._wire.endpoint import dataset_name
from segments_async._wire.routes import ADD_COLLABORATOR, CLONE_DATASET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async._wire.endpoint import Endpoint
    from segments_async.errors import NotFoundError

_NOT_FOUND = 404
_NAMES_IN_BODY = (ADD_COLLABORATOR, CLONE_DATASET)
"""Routes whose body names a user or an organisation, which may be what is missing."""


def note_missing_dataset(
    error: NotFoundError, endpoint: Endpoint, path: Mapping[str, Any], params: Mapping[str, Any]
) -> None:
    """Add a note to *error* that says which dataset is missing, if nothing else can be."""
    if error.status != _NOT_FOUND or not endpoint.names_only_a_dataset or endpoint in _NAMES_IN_BODY:
        return
    if "invalid page" in error.detail.lower():
        return
    labelset = params.get("labelset")
    other = f", or it has no labelset {labelset!r}" if labelset else ""
    error.add_note(f"there is no dataset {dataset_name(path['dataset'])!r}, or the key has no access to it{other}")
