"""The categories of a dataset: their names by id, and their ids by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from attrs import field, frozen

from segments_async._releases import ReleaseFile
from segments_async._validators import is_count
from segments_async.errors import InputError
from segments_async.models import Dataset, ReleaseDataset, TaskAttributeCategory, TaskAttributes

CategorySource = (
    Dataset | ReleaseDataset | ReleaseFile | TaskAttributes | Mapping[int, str] | Iterable[TaskAttributeCategory]
)
"""Where categories come from: a dataset, its task attributes, a list of them, or a mapping of ids to names."""


@frozen
class Categories:
    """Names by id."""

    names: Mapping[int, str]
    _ids: dict[str, list[int]] = field(init=False)

    @_ids.default
    def _find_ids(self) -> dict[str, list[int]]:
        ids: dict[str, list[int]] = {}
        for id_, name in self.names.items():
            ids.setdefault(name, []).append(id_)
        return ids

    @classmethod
    def of(cls, source: Any, labels: Any = None) -> Self:
        """
        Find the names by id.

        Args:
            source: A `CategorySource`; None for none.
            labels: What the table is made of; a release has its own categories.

        Raises:
            InputError: It is something else, or a dataset from a list, which comes without its categories.
        """
        if source is None:
            source = labels if isinstance(labels, ReleaseFile) else {}
        if isinstance(source, ReleaseFile):
            source = source.dataset
        if isinstance(source, Dataset | ReleaseDataset):
            if isinstance(source, Dataset) and source.task_attributes is None:
                raise InputError("this dataset comes without its categories; use datasets.get()", path="categories")
            source = source.task_attributes or {}
        if isinstance(source, TaskAttributes):
            source = source.categories or []
        names = source if isinstance(source, Mapping) else _names_of(source)
        for id_, name in names.items():
            if not (is_count(id_) and isinstance(name, str)):
                raise InputError(f"expected names by id, got {name!r} by {id_!r}", path="categories")
        return cls(names)

    def id_of(self, name: str) -> int:
        """
        Return the id of a category.

        Raises:
            InputError: There is none of this name, or more than one.
        """
        ids = self._ids.get(name, [])
        if len(ids) == 1:
            return ids[0]
        if not self.names:
            raise InputError(f"the id of category {name!r} is not known; pass categories=", path="category")
        problem = f"the ids {ids} have the name" if ids else "no category has the name"
        raise InputError(f"{problem} {name!r}", path="category")


def _names_of(categories: Any) -> dict[int, str]:
    if isinstance(categories, str) or not isinstance(categories, Iterable):
        raise InputError(f"expected a dataset, got {type(categories).__name__}", path="categories")
    names: dict[int, str] = {}
    for category in categories:
        if not isinstance(category, TaskAttributeCategory):
            raise InputError(f"expected categories, got {type(category).__name__}", path="categories")
        names[category.id] = category.name
    return names
