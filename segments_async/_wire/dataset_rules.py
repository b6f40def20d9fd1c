"""What the settings of a dataset say about its labels: the task type, the categories, and their attributes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from segments_async._serialization.converter import unstructure
from segments_async._serialization.label_shapes import refuse_other_type
from segments_async._serialization.mismatch import StructureError
from segments_async._wire.arguments import near_miss
from segments_async.errors import InputError
from segments_async.models import (
    Dataset,
    ImageVectorAnnotationType,
    MultiselectTaskAttribute,
    PointcloudCuboidAnnotationType,
    PointcloudVectorAnnotationType,
    SelectTaskAttribute,
    TaskAttributeCategory,
    TaskType,
)
from segments_async.models.label_attributes import class_of_task_type

if TYPE_CHECKING:
    from collections.abc import Iterable

ANNOTATION_TYPES = tuple(
    dict.fromkeys(
        str(word)
        for enum in (ImageVectorAnnotationType, PointcloudCuboidAnnotationType, PointcloudVectorAnnotationType)
        for word in enum
    )
)
"""The known types of annotations."""


@frozen
class DatasetRules:
    """The rules of one dataset; an `InputError` says where a label breaks one."""

    task_type: str
    """Empty if the dataset has none."""
    categories: Mapping[Any, TaskAttributeCategory]
    """By id."""

    @classmethod
    def of(cls, dataset: object) -> Self | None:
        """
        Return the rules of a dataset; None for None.

        Raises:
            InputError: *dataset* is not a `Dataset`, or has no categories.
        """
        if dataset is None:
            return None
        if not isinstance(dataset, Dataset):
            given = f"; pass `await client.datasets.get({dataset!r})`" if isinstance(dataset, str) else ""
            raise InputError(f"expected a Dataset, got {type(dataset).__name__}{given}", path="dataset")
        if dataset.task_attributes is None or dataset.task_attributes.categories is None:
            raise InputError("has no categories, as in a list of datasets; use datasets.get()", path="dataset")
        return cls(dataset.task_type or "", {one.id: one for one in dataset.task_attributes.categories})

    @property
    def is_of_unknown_type(self) -> bool:
        """Whether the dataset has a task type that this version does not know, whose labels may be of any form."""
        return bool(self.task_type) and class_of_task_type(self.task_type) is None

    def check_type(self, attributes: Any) -> None:
        """Check that attributes, as they were read, are a label of the task type."""
        if not attributes or type(attributes) is class_of_task_type(self.task_type):
            return
        try:
            refuse_other_type(unstructure(attributes), self.task_type)
        except StructureError as error:
            raise error.as_input_error() from error.__cause__

    def check_annotation(self, kind: Any, category_id: Any, attributes: Any) -> None:
        """Check the type, the category, and the attributes of an annotation."""
        if self.task_type == TaskType.BBOXES and kind != "bbox" and kind in ANNOTATION_TYPES:
            raise InputError(f"the task type is 'bboxes': expected 'bbox', got {str(kind)!r}", path="type")
        if category_id is None:
            raise InputError("missing", path="category_id")
        category = self.categories.get(category_id) if isinstance(category_id, Hashable) else None
        if category is None:
            known = ", ".join(map(str, sorted(self.categories))) or "none"
            raise InputError(f"the dataset has no category {category_id!r}; its ids: {known}", path="category_id")
        if isinstance(attributes, Mapping):
            _check_attributes(attributes, category)


def _check_attributes(values: Mapping[str, Any], category: TaskAttributeCategory) -> None:
    """Check values against what a category offers; other names than its own are sent, unless they are mistyped."""
    offered = {
        one["name"] if isinstance(one, dict) else one.name: one
        for one in category.attributes or ()
        if not isinstance(one, dict) or "name" in one
    }
    for name, value in values.items():
        path = f"attributes.{name}"
        if name in offered:
            _check_choice(value, offered[name], path)
        elif (
            isinstance(name, str)
            and (near := near_miss(name, [key for key in offered if key not in values])) is not None
        ):
            raise InputError(f"the category {category.name!r} has no such attribute; did you mean {near!r}?", path=path)


def _check_choice(value: Any, offer: Any, path: str) -> None:
    chosen: Iterable[Any] = ()
    if isinstance(offer, SelectTaskAttribute):
        chosen = (value,)
    elif isinstance(offer, MultiselectTaskAttribute) and isinstance(value, list):
        chosen = value
    for one in chosen:
        if one not in offer.values and one not in (None, ""):
            raise InputError(f"expected one of {', '.join(map(repr, offer.values))}, got {one!r}", path=path)
