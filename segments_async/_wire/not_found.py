"""What a 404 means: the service answers "Not found." without the name of what is missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from segments_async._wire.endpoint import dataset_name
from segments_async._wire.routes import ADD_COLLABORATOR, CLONE_DATASET, UPDATE_SAMPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async._wire.endpoint import Endpoint
    from segments_async.errors import NotFoundError

_NOT_FOUND = 404
_NAMES_IN_BODY = (ADD_COLLABORATOR, CLONE_DATASET, UPDATE_SAMPLE)
"""Routes whose body names a user or an organisation, which may be what is missing."""
_NAMED = re.compile(r"^(?:/datasets/{dataset})?/(?P<kind>[a-z]+)s/{(?P<key>\w+)}/?(?:issues/)?$")
"""Matches the routes that name one thing, such as a sample, or one thing of a dataset, such as a release."""


def note_missing(error: NotFoundError, endpoint: Endpoint, path: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Add a note to *error* that says what is missing, if the path names it."""
    if error.status != _NOT_FOUND or endpoint in _NAMES_IN_BODY or "invalid page" in error.detail.lower():
        return
    if endpoint.names_only_a_dataset:
        error.add_note(f"there is no dataset {_dataset_in(path)}, or the key has no access to it{_or_labelset(params)}")
    elif named := _NAMED.match(endpoint.path):
        thing = f"there is no {named['kind']} {str(path[named['key']])!r}"
        where = f" in {_dataset_in(path)}, or no such dataset" if "dataset" in path else ""
        error.add_note(f"{thing}{where}, or the key has no access to it{_or_labelset(params)}")


def _dataset_in(path: Mapping[str, Any]) -> str:
    return repr(dataset_name(path["dataset"]))


def _or_labelset(params: Mapping[str, Any]) -> str:
    labelset = params.get("labelset")
    return f", or its dataset has no labelset {labelset!r}" if labelset else ""
