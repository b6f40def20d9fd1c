"""Filter the samples of a release, and select their labels, before they are decoded to models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from segments_async._wire.filters import Condition, check_statuses, parse_conditions, parse_statuses, unknown_statuses
from segments_async.errors import DecodeError, InputError
from segments_async.models.datasets import GROUND_TRUTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from segments_async.models import ReleaseDataset

UNLABELED = "UNLABELED"


@frozen
class SampleFilter:
    """The samples to read from a release, and the labels to keep in them."""

    task_type: str | None
    labelset: str | None
    """The only labelset to keep; None keeps all."""
    status_labelset: str
    """The labelset whose label has the status."""
    statuses: frozenset[str] | None
    """In upper case."""
    metadata: tuple[Condition, ...]

    @classmethod
    def of(
        cls,
        dataset: ReleaseDataset,
        labelset: str | None,
        label_status: str | Iterable[str] | None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None,
    ) -> Self:
        """
        Convert the arguments of `ReleaseFile.samples`.

        Raises:
            InputError: An argument is invalid, or there is no such labelset.
        """
        status_labelset = GROUND_TRUTH if labelset is None else labelset
        words = parse_statuses(label_status)
        statuses = None if words is None else frozenset(words)
        if labelset is not None or statuses is not None:
            _check_labelset(dataset, status_labelset, "label_status" if labelset is None else "labelset")
        conditions = tuple(parse_conditions(metadata))
        return cls(dataset.task_type or None, labelset, status_labelset, statuses, conditions)

    @property
    def unknown_statuses(self) -> frozenset[str]:
        """Words that are label statuses only if the release has them."""
        return unknown_statuses(self.statuses or ())

    def status(self, sample: Any) -> str:
        """Return the status of the label that is filtered by, in upper case."""
        return str(status_of(_label(sample, self.status_labelset))).upper()

    def check_statuses(self, found: Iterable[str]) -> None:
        """
        Check that the words are label statuses, or among those *found* in the release.

        Raises:
            InputError: One is not.
        """
        check_statuses(self.statuses or (), found)

    def matches(self, sample: Any) -> bool:
        """Return whether a sample, as JSON, passes the filter."""
        if self.statuses is not None and self.status(sample) not in self.statuses:
            return False
        if not self.metadata:
            return True
        metadata = _optional_object(sample, "metadata")
        return all(condition.matches(metadata) for condition in self.metadata)

    def select_labels(self, sample: Any) -> Any:
        """Remove the labels of other labelsets, and add the dataset's task type to labels without a type."""
        if not isinstance(sample, dict):
            raise DecodeError(f"expected an object, got {type(sample).__name__}", payload=sample)
        labels = _optional_object(sample, "labels")
        if self.labelset is not None:
            labels = {self.labelset: labels.get(self.labelset)}
        if self.task_type is not None:
            for label in labels.values():
                if isinstance(label, dict) and not label.get("label_type"):
                    label["label_type"] = self.task_type
        return {**sample, "labels": labels}


def status_of(label: Any) -> Any:
    """Return the status of a label, as JSON; a missing label is UNLABELED."""
    return (label.get("label_status") or UNLABELED) if isinstance(label, dict) else UNLABELED


def _label(sample: Any, labelset: str) -> Any:
    return _optional_object(sample, "labels").get(labelset)


def _optional_object(sample: Any, key: str) -> dict[str, Any]:
    """Return the object at an optional key of a sample; empty if it is missing or null."""
    if not isinstance(sample, dict):
        raise DecodeError(f"expected an object, got {type(sample).__name__}", payload=sample)
    found = sample.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DecodeError(f"expected an object, got {type(found).__name__}", path=key, payload=found)
    return found


def _check_labelset(dataset: ReleaseDataset, labelset: object, path: str) -> None:
    if dataset.labelsets is None:
        return  # only the samples could show whether it exists
    names = [known.name for known in dataset.labelsets]
    if labelset not in names:
        known = f"it has {', '.join(map(repr, names))}" if names else "it has none"
        raise InputError(f"the release has no labelset {labelset!r}; {known}", path=path)
