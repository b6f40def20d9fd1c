"""Check the categories of a dataset before they are sent; the service stores colours and ids that no editor can use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from segments_async._serialization.converter import check
from segments_async._wire.arguments import near_miss
from segments_async.errors import InputError
from segments_async.models import InputType, TaskAttributes

_EXAMPLE = '{"categories": [{"name": "car", "id": 1}]}'
_MAX_COLOUR = 255
_INPUT_TYPES = tuple(map(str, InputType))


def check_task_attributes(task_attributes: Any) -> None:
    """
    Check the task attributes of a dataset; None has none.

    Raises:
        InputError: They are not an object, a value is of the wrong type, an input type is mistyped, a colour is not
            from 0 to 255, or two categories have the same id; `path` says where.
    """
    if task_attributes is None:
        return
    if not isinstance(task_attributes, Mapping | TaskAttributes) and not hasattr(task_attributes, "model_dump"):
        raise InputError(
            f"expected an object such as {_EXAMPLE}, got {type(task_attributes).__name__}", path="task_attributes"
        )
    try:
        check_categories(task_attributes)
    except InputError as error:
        raise error.under("task_attributes") from error.__cause__


def check_categories(task_attributes: Any) -> None:
    """
    Check task attributes, given as an object.

    Raises:
        InputError: As of `check_task_attributes`, with a `path` inside the object.
    """
    read: TaskAttributes = check(task_attributes, TaskAttributes)
    _check_input_types(read.image_attributes, "image_attributes")
    first: dict[int, int] = {}
    for index, category in enumerate(read.categories or ()):
        path = f"categories[{index}]"
        _check_input_types(category.attributes, f"{path}.attributes")
        _check_input_types(category.link_attributes, f"{path}.link_attributes")
        if any(not 0 <= value <= _MAX_COLOUR for value in category.color or ()):
            raise InputError(f"expected numbers from 0 to {_MAX_COLOUR}, got {category.color}", path=f"{path}.color")
        if first.setdefault(category.id, index) != index:
            raise InputError(f"{category.id} is also the id of categories[{first[category.id]}]", path=f"{path}.id")


def _check_input_types(attributes: Iterable[Any] | None, path: str) -> None:
    """Refuse input types that look mistyped; others that are unknown are sent, as the service adds some."""
    for index, attribute in enumerate(attributes or ()):
        kind = attribute.get("input_type") if isinstance(attribute, dict) else attribute.input_type
        if isinstance(kind, str) and kind not in _INPUT_TYPES and (near := near_miss(kind, _INPUT_TYPES)) is not None:
            raise InputError(f"unknown type {kind!r}; did you mean {near!r}?", path=f"{path}[{index}].input_type")
