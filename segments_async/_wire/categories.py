"""Check the categories of a dataset before they are sent; the service stores colours and ids that no editor can use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segments_async._serialization.converter import check
from segments_async.errors import InputError
from segments_async.models import TaskAttributes

_EXAMPLE = '{"categories": [{"name": "car", "id": 1}]}'
_MAX_COLOUR = 255


def check_task_attributes(task_attributes: Any) -> None:
    """
    Check the task attributes of a dataset; None has none.

    Raises:
        InputError: They are not an object, a value is of the wrong type, a colour is not from 0 to 255, or two
            categories have the same id; `path` says where.
    """
    if task_attributes is None:
        return
    if not isinstance(task_attributes, Mapping | TaskAttributes) and not hasattr(task_attributes, "model_dump"):
        raise InputError(
            f"expected an object such as {_EXAMPLE}, got {type(task_attributes).__name__}", path="task_attributes"
        )
    read: TaskAttributes = check(task_attributes, TaskAttributes, "task_attributes")
    first: dict[int, int] = {}
    for index, category in enumerate(read.categories or ()):
        path = f"task_attributes.categories[{index}]"
        if any(not 0 <= value <= _MAX_COLOUR for value in category.color or ()):
            raise InputError(f"expected numbers from 0 to {_MAX_COLOUR}, got {category.color}", path=f"{path}.color")
        if first.setdefault(category.id, index) != index:
            raise InputError(f"{category.id} is also the id of categories[{first[category.id]}]", path=f"{path}.id")
