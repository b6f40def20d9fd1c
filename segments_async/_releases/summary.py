"""Counts of a release's samples, labels and annotations."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from segments_async._releases.filters import status_of
from segments_async.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segments_async.models import ReleaseHeader


@frozen(kw_only=True)
class LabelsetSummary:
    """Counts of the labels of one labelset."""

    labels: int
    """Samples that have a label."""
    statuses: Mapping[str, int]
    """Samples by label status; ``"UNLABELED"`` counts those without a label too."""
    categories: Mapping[str, int]
    """Annotations by category name, or by the category's id as text if the dataset has no such category. An object in
    a sequence counts once for each frame it appears in."""


@frozen(kw_only=True)
class ReleaseSummary:
    """Counts of a release."""

    name: str
    """The release's name."""
    task_type: str | None
    """One of `TaskType`."""
    samples: int
    """Number of samples."""
    labelsets: Mapping[str, LabelsetSummary] = field(factory=dict)
    """By name, in the order of the file."""


class SummaryCount:
    """Counts the samples of a release."""

    def __init__(self, header: ReleaseHeader) -> None:
        self._header = header
        self._samples = 0
        names = [labelset.name for labelset in header.dataset.labelsets or ()]
        self._labels: Counter[str] = Counter()
        self._statuses: dict[str, Counter[str]] = {name: Counter() for name in names}
        self._categories: dict[str, Counter[Any]] = {name: Counter() for name in names}

    def add(self, index: int, sample: Any) -> bool:
        """Count one sample, as JSON; always True, for more samples."""
        labels = sample.get("labels") if isinstance(sample, dict) else ()
        if labels is None:
            labels = {}
        if not isinstance(labels, dict):
            raise DecodeError("expected a sample with labels", path=f"dataset.samples[{index}]", payload=sample)
        self._samples += 1
        for name, label in labels.items():
            self._statuses.setdefault(name, Counter())[str(status_of(label))] += 1
            categories = self._categories.setdefault(name, Counter())
            if isinstance(label, dict):
                self._labels[name] += 1
                categories.update(_categories_in(label.get("attributes")))
        for name in self._statuses.keys() - labels.keys():
            self._statuses[name][status_of(None)] += 1
        return True

    def summary(self) -> ReleaseSummary:
        """Return the counts so far."""
        attributes = self._header.dataset.task_attributes
        categories = (attributes.categories if attributes is not None else None) or ()
        names = {category.id: category.name for category in categories}
        labelsets = {
            name: LabelsetSummary(
                labels=self._labels[name],
                statuses=dict(statuses.most_common()),
                categories=_by_name(self._categories[name], names),
            )
            for name, statuses in self._statuses.items()
        }
        return ReleaseSummary(
            name=self._header.name,
            task_type=self._header.dataset.task_type,
            samples=self._samples,
            labelsets=labelsets,
        )


def _by_name(counts: Counter[Any], names: Mapping[Any, str]) -> dict[str, int]:
    named: Counter[str] = Counter()
    for category, count in counts.items():
        named[str(names.get(category, category))] += count
    return dict(named.most_common())


def _categories_in(attributes: Any) -> Iterator[Any]:
    """Yield the category of each annotation in a label of any type: single, sequence, or several sensors."""
    if not isinstance(attributes, dict):
        return
    for annotation in _objects(attributes, "annotations"):
        category = annotation.get("category_id")
        if isinstance(category, int | str):
            yield category
    for frame in _objects(attributes, "frames"):
        yield from _categories_in(frame)
    for sensor in _objects(attributes, "sensors"):
        yield from _categories_in(sensor.get("attributes"))


def _objects(parent: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    found = parent.get(key)
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, dict))
