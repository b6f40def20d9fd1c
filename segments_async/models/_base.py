"""What every model is made of; read by `segments_async._converter`."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from attrs import NOTHING, define, field, fields

Choose = Callable[[Mapping[str, Any], Any], "type[Model] | None"]
"""Given the JSON object around a value, and the value: the class it is of; None leaves it plain."""

T = TypeVar("T")
WIRE_NAME = "segments_async.wire_name"
CHOOSE = "segments_async.choose"


@define(kw_only=True)
class Model:
    """
    Base of everything the service sends and takes: inert, mutable, slotted.

    Optional fields are None when the service did not send them, and are not sent back then.
    """

    extra: dict[str, Any] = field(factory=dict, repr=False)
    """Keys this version does not know; written back unchanged, at the same level."""


def wire_name(name: str) -> dict[str, Any]:
    """Field metadata: the key is called *name* on the wire."""
    return {WIRE_NAME: name}


def chosen_by(choose: Choose) -> dict[str, Any]:
    """Field metadata: a tag beside the value, or its shape, says which class of the field's union it is."""
    return {CHOOSE: choose}


def has_essentials(value: Any, model: type[Model]) -> bool:
    """Whether *value* is an object that holds all that *model* cannot be without."""
    return type(value) is dict and all(value.get(name) is not None for name in required(model))


def per_class(function: Callable[[type[Model]], T]) -> Callable[[type[Model]], T]:
    """`functools.cache`; type checkers refuse that, as models, unlike their classes, have no hash."""
    return cache(function)  # type: ignore[return-value]


@per_class
def required(model: type[Model]) -> tuple[str, ...]:
    """Names of the fields without a default."""
    return tuple(a.name for a in fields(model) if a.default is NOTHING)
