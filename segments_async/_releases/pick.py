"""Which samples of a release are wanted, and which of their labels; looked at before anything is structured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from segments_async.errors import DecodeError, InputError
from segments_async.models.datasets import GROUND_TRUTH

if TYPE_CHECKING:
    from segments_async.models import ReleaseDataset

UNLABELED = "UNLABELED"


@frozen
class Pick:
    """What is wanted of a release."""

    task_type: str | None
    labelset: str | None
    """The one labelset whose labels are wanted; None wants all."""
    status_of: str
    """The labelset whose labels have the statuses."""
    statuses: frozenset[str] | None
    metadata: tuple[tuple[str, Any], ...]
    """Keys with what they should hold."""
    texts: tuple[tuple[str, str], ...]
    """Keys with the text of what they should hold."""

    @classmethod
    def of(
        cls,
        dataset: ReleaseDataset,
        labelset: str | None,
        label_status: str | Iterable[str] | None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None,
    ) -> Self:
        """
        Read the arguments of `ReleaseFile.samples`.

        Raises:
            InputError: One of them makes no sense, or there is no such labelset.
        """
        status_of = GROUND_TRUTH if labelset is None else labelset
        statuses = _words(label_status)
        if labelset is not None or statuses is not None:
            _check_labelset(dataset, status_of, "label_status" if labelset is None else "labelset")
        pairs = tuple(metadata.items()) if isinstance(metadata, Mapping) else ()
        texts = () if metadata is None or isinstance(metadata, Mapping) else _texts(metadata)
        return cls(dataset.task_type or None, labelset, status_of, statuses, pairs, texts)

    def takes(self, sample: Any) -> bool:
        """Whether a sample, as JSON, is wanted."""
        if self.statuses is not None and status_of(_label(sample, self.status_of)) not in self.statuses:
            return False
        if not (self.metadata or self.texts):
            return True
        found = _object(sample, "metadata")
        return all(key in found and found[key] == value for key, value in self.metadata) and all(
            key in found and _shown(found[key]) == text for key, text in self.texts
        )

    def prepared(self, sample: Any) -> Any:
        """Leave out the labels that are not wanted, and have the others say what they are."""
        if not isinstance(sample, dict):
            raise DecodeError(f"expected an object, got {type(sample).__name__}", payload=sample)
        labels = _object(sample, "labels")
        if self.labelset is not None:
            labels = {self.labelset: labels.get(self.labelset)}
        if self.task_type is not None:
            for label in labels.values():
                if isinstance(label, dict) and not label.get("label_type"):
                    label["label_type"] = self.task_type
        return {**sample, "labels": labels}


def status_of(label: Any) -> Any:
    """The status of a label, as JSON; none at all is unlabelled too."""
    return (label.get("label_status") or UNLABELED) if isinstance(label, dict) else UNLABELED


def _label(sample: Any, labelset: str) -> Any:
    return _object(sample, "labels").get(labelset)


def _object(sample: Any, key: str) -> dict[str, Any]:
    """What an optional key of a sample holds."""
    if not isinstance(sample, dict):
        raise DecodeError(f"expected an object, got {type(sample).__name__}", payload=sample)
    found = sample.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DecodeError(f"expected an object, got {type(found).__name__}", path=key, payload=found)
    return found


def _words(label_status: str | Iterable[str] | None) -> frozenset[str] | None:
    if label_status is None:
        return None
    words = [label_status] if isinstance(label_status, str) else list(label_status)
    if not words:
        raise InputError("expected at least one; leave it out to get all", path="label_status")
    for word in words:
        if not isinstance(word, str):
            raise InputError(f"expected words, got {word!r}", path="label_status")
    return frozenset(map(str, words))


def _check_labelset(dataset: ReleaseDataset, labelset: object, path: str) -> None:
    names = [known.name for known in dataset.labelsets or ()]
    if labelset not in names:
        there = f"there are {', '.join(map(repr, names))}" if names else "it has none"
        raise InputError(f"the release has no labelset {labelset!r}; {there}", path=path)


def _texts(metadata: str | Iterable[str]) -> tuple[tuple[str, str], ...]:
    pairs = [metadata] if isinstance(metadata, str) else list(metadata)
    for pair in pairs:
        if not isinstance(pair, str) or ":" not in pair.strip(":"):
            raise InputError(f'expected "key:value", got {pair!r}', path="metadata")
    return tuple((key, value) for key, _, value in (pair.partition(":") for pair in pairs))


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
