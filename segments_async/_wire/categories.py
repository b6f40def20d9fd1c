"""
Check the categories of a dataset before they are sent.

The service stores colours and ids that no editor can use, and takes a mistyped ``categories`` for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

from segments_async._serialization.compile import fields_of, key_of
from segments_async._serialization.converter import check, unstructure
from segments_async._wire.arguments import check_spelling, near_miss
from segments_async.errors import InputError
from segments_async.models import InputType, TaskAttributeCategory, TaskAttributes
from segments_async.models.input_types import BaseTaskAttribute, TaskAttribute
from segments_async.models.task_attributes import WarningRule

if TYPE_CHECKING:
    from segments_async.models._base import Model


def _keys_of(model: type[Model]) -> frozenset[str]:
    return frozenset(map(key_of, fields_of(model)))


def _keys_by_tag(union: Any) -> dict[str, frozenset[str]]:
    _, tagged = get_args(union)
    return {str(tag): _keys_of(model) for tag, model in tagged.classes.items()}


_KEYS = _keys_of(TaskAttributes)
_CATEGORY_KEYS = _keys_of(TaskAttributeCategory)
_ATTRIBUTE_KEYS = _keys_by_tag(TaskAttribute)
_COMMON_ATTRIBUTE_KEYS = _keys_of(BaseTaskAttribute) | {"input_type"}
"""What an attribute has whose type is missing or unknown."""
_RULE_KEYS = _keys_by_tag(WarningRule)
_EXAMPLE = '{"categories": [{"name": "car", "id": 1}]}'
_MAX_COLOUR = 255
_INPUT_TYPES = tuple(map(str, InputType))


def check_task_attributes(task_attributes: Any) -> None:
    """
    Check the task attributes of a dataset; None has none.

    Raises:
        InputError: They are not an object, have no known key, a value is of the wrong type, a key or an input type is
            mistyped, a colour is not from 0 to 255, or two categories have the same id; `path` says where.
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
    _check_keys(task_attributes)
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


def _check_keys(task_attributes: Any) -> None:
    """Refuse mistyped keys of JSON; models have only keys that the service returned, or that the caller added."""
    if not isinstance(task_attributes, dict | list | TaskAttributes):
        task_attributes = unstructure(task_attributes)
    for path, value, known in _objects_in(task_attributes):
        try:
            check_spelling(value, known)
        except InputError as error:
            raise error.under(path) if path else error from None
        if known is _COMMON_ATTRIBUTE_KEYS and "input_type" not in value and _is_input_type(value.get("type")):
            raise InputError("missing; write 'input_type' instead of 'type'", path=f"{path}.input_type")
    if isinstance(task_attributes, dict) and task_attributes and _KEYS.isdisjoint(task_attributes):
        raise InputError(f"no known key; expected an object such as {_EXAMPLE}")


def _objects_in(task_attributes: Any) -> Iterator[tuple[str, dict[str, Any], frozenset[str]]]:
    """Yield the objects of JSON that have known keys: path, object, keys."""
    if isinstance(task_attributes, dict):
        yield "", task_attributes, _KEYS
    for path, rule in _items(task_attributes, "warning_rules"):
        yield path, rule, _RULE_KEYS.get(str(rule.get("name")), frozenset())
    yield from _attributes_in(task_attributes, "image_attributes")
    for path, category in _items(task_attributes, "categories"):
        yield path, category, _CATEGORY_KEYS
        for key in ("attributes", "link_attributes"):
            yield from ((f"{path}.{inner}", value, known) for inner, value, known in _attributes_in(category, key))


def _attributes_in(parent: Any, key: str) -> Iterator[tuple[str, dict[str, Any], frozenset[str]]]:
    for path, attribute in _items(parent, key):
        yield path, attribute, _ATTRIBUTE_KEYS.get(str(attribute.get("input_type")), _COMMON_ATTRIBUTE_KEYS)


def _items(parent: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects in a list of an object, each with its path."""
    found = parent.get(key) if isinstance(parent, dict) else None
    for index, item in enumerate(found if isinstance(found, list | tuple) else ()):
        if isinstance(item, dict):
            yield f"{key}[{index}]", item


def _is_input_type(value: Any) -> bool:
    return isinstance(value, str) and near_miss(value, _INPUT_TYPES) is not None


def _check_input_types(attributes: Iterable[Any] | None, path: str) -> None:
    """Refuse input types that look mistyped; others that are unknown are sent, as the service adds some."""
    for index, attribute in enumerate(attributes or ()):
        kind = attribute.get("input_type") if isinstance(attribute, dict) else attribute.input_type
        if isinstance(kind, str) and kind not in _INPUT_TYPES and (near := near_miss(kind, _INPUT_TYPES)) is not None:
            raise InputError(f"unknown type {kind!r}; did you mean {near!r}?", path=f"{path}[{index}].input_type")
