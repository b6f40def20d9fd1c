"""The declaration of a route, and the encoding of names into its path."""

from __future__ import annotations

import uuid
from enum import Enum
from string import Formatter
from typing import Any
from urllib.parse import quote

from attrs import field, frozen

from segments_async._caller_errors import caller_code
from segments_async.errors import InputError


class Repeat(Enum):
    """Whether a request may be repeated after a failure that leaves its outcome unknown."""

    SAFE = "idempotent: a repeated request has the same effect as a single one"
    NEVER = "not idempotent: a repeated request may take effect twice"


class Writes(Enum):
    """What a request that writes changes, as far as lists show it; see `segments_async._wire.changes`."""

    SAMPLES = "creates or deletes samples"
    SAMPLE_FIELDS = "changes the fields of a sample that are in the body"
    LABELS = "changes labels"
    DATASETS = "creates or deletes datasets"
    DATASET_FIELDS = "changes the fields of a dataset that are in the body"


@frozen(kw_only=True)
class Endpoint:
    """
    Declare one route of the service.

    Example:
        >>> GET_LABEL = Endpoint(method="GET", path="/labels/{sample_uuid}/{labelset}/")
        >>> GET_LABEL.fill(sample_uuid="u-1", labelset="my labels")
        '/labels/u-1/my%20labels/'
    """

    method: str
    path: str
    """Trailing slashes as the official SDK sends them; see ``docs/service.md``, "Trailing slashes"."""
    repeat: Repeat = Repeat.SAFE
    gzip: bool = False
    """Whether the service accepts a compressed body on this route."""
    read_timeout: float | None = None
    """Seconds to wait for the response of a slow route; None uses the client's timeout."""
    result_keys: frozenset[str] = frozenset()
    """Keys of the result, of which a response has at least one; empty if its model decides."""
    writes: Writes | None = None
    """What it changes, as far as lists that come in pages show it."""
    raw: bool = False
    """Whether to return the response as it came, even the 404 of a DELETE that an earlier attempt carried out."""
    _names: tuple[str, ...] = field(init=False)

    @_names.default
    def _parse_names(self) -> tuple[str, ...]:
        return tuple(name for _, name, _, _ in Formatter().parse(self.path) if name)

    @property
    def names_only_a_dataset(self) -> bool:
        """Whether a dataset is all that the path names."""
        return self._names == ("dataset",)

    def fill(self, **values: Any) -> str:
        """Insert *values* into the path, each as one percent-encoded segment (two for ``dataset``)."""
        return self.path.format_map(
            {
                name: dataset_path(values[name]) if name == "dataset" else segment(values[name], name)
                for name in self._names
            }
        )


def segment(value: object, name: str) -> str:
    """
    Percent-encode one path segment.

    Raises:
        InputError: It is not a string, or it is empty, blank, ``.`` or ``..`` (which servers resolve), or it is not
            valid Unicode.
    """
    value = plain_text(value, name)
    if not isinstance(value, str):
        raise InputError(f"expected a string, got {type(value).__name__}", path=name)
    if not value.strip() or value in {".", ".."}:
        raise InputError(f"expected a name, got {value!r}", path=name)
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise InputError(f"not valid Unicode: {value!r}", path=name) from None


def plain_text(value: object, path: str = "") -> object:
    """
    Return a UUID, an Arrow string, or a string of a class of the caller, as an exact `str`; other values unchanged.

    Raises:
        InputError: The value raised an exception.
    """
    if type(value) is str:
        return value
    with caller_code(path):
        if isinstance(value, uuid.UUID):
            value = str(value)
        elif hasattr(value, "as_py"):  # an Arrow scalar
            value = value.as_py()
        return str.__str__(value) if isinstance(value, str) else value


def dataset_path(dataset: object) -> str:
    """Percent-encode ``"owner/name"``, or the identifier of a `Dataset`."""
    return "/".join(segment(part, "dataset") for part in dataset_name(dataset).split("/"))


def dataset_name(dataset: object) -> str:
    """
    Return ``"owner/name"``, as given or as the identifier of a `Dataset`.

    Raises:
        InputError: It does not have exactly these two parts.
    """
    with caller_code("dataset"):
        text = plain_text(getattr(dataset, "identifier", dataset))
    if not isinstance(text, str):
        raise InputError(f'expected "owner/name" or a Dataset, got {type(dataset).__name__}', path="dataset")
    parts = text.split("/")
    if len(parts) != 2 or not all(part.strip() and part not in {".", ".."} for part in parts):  # noqa: PLR2004
        raise InputError(f'expected "owner/name", such as "jane/flowers", got {text!r}', path="dataset")
    return text
