"""What every model is made of; read by `segments_async._serialization.converter`."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import StrEnum
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from types import NoneType
from typing import Any, Self, TypeVar

from attrs import NOTHING, Attribute, define, field, fields, frozen

Choose = Callable[[Mapping[str, Any], Any], "type[Model] | None"]
"""Given the JSON object around a value, and the value: the class it is of; None leaves it plain."""

T = TypeVar("T")
WIRE_NAME = "segments_async.wire_name"
CHOOSE = "segments_async.choose"
WORDS = "segments_async.words"
_ATOMS = frozenset({str, int, float, bool, NoneType})


@define(kw_only=True)
class Model:  # noqa: PLW1641 (mutable, so without a hash)
    """
    Base of everything the service sends and takes: inert, mutable, slotted.

    Optional fields are None when the service did not send them, and are not sent back then.
    """

    extra: dict[str, Any] = field(factory=dict, repr=False)
    """Keys this version does not know; written back unchanged, at the same level."""

    def __init_subclass__(cls) -> None:
        # attrs would write and compile these anew for each of a hundred classes, which is a third of importing them.
        cls.__repr__ = Model.__repr__  # type: ignore[method-assign]
        cls.__eq__ = Model.__eq__  # type: ignore[method-assign]
        super().__init_subclass__()

    @recursive_repr()
    def __repr__(self) -> str:
        shown = ((a.name, a.repr, getattr(self, a.name)) for a in fields(type(self)) if a.repr)
        parts = (f"{name}={show(value) if callable(show) else repr(value)}" for name, show, value in shown)
        return f"{type(self).__qualname__}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        values_of = _values_getter(type(self))
        return bool(values_of(self) == values_of(other))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A label holds tens of thousands of models: the way through __reduce_ex__ takes several times as long.
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        for name in _names(type(self)):
            value = getattr(self, name)
            setattr(copied, name, value if type(value) in _ATOMS else deepcopy(value, memo))
        return copied


@frozen(eq=False)
class Tagged:
    """
    Of a union, in `typing.Annotated`: the key whose value says which class an object is of.

    An object with any other word there stays a plain mapping.
    """

    key: str
    classes: Mapping[str, type[Model]]


def wire_name(name: str) -> dict[str, Any]:
    """Field metadata: the key is called *name* on the wire."""
    return {WIRE_NAME: name}


def chosen_by(choose: Choose) -> dict[str, Any]:
    """Field metadata: a tag beside the value, or its shape, says which class of the field's union it is."""
    return {CHOOSE: choose}


def words(enum: type[StrEnum]) -> dict[str, Any]:
    """Field metadata: with a word that *enum* lacks, the object may be of a kind that no class describes."""
    return {WORDS: tuple(str(word) for word in enum)}


def is_essential(attribute: "Attribute[Any]") -> bool:
    """
    Whether the wire cannot be without it.

    That is what has no default, and what has a constant one, which only spares a caller to write it.
    """
    return attribute.default is NOTHING or isinstance(attribute.default, str | int | float)


def has_essentials(value: Any, model: type[Model]) -> bool:
    """Whether *value* is an object that holds all that *model* cannot be without."""
    return type(value) is dict and all(value.get(key) is not None for key in required(model))


def per_class(function: Callable[[type[Model]], T]) -> Callable[[type[Model]], T]:
    """`functools.cache`; type checkers refuse that, as models, unlike their classes, have no hash."""
    return cache(function)  # type: ignore[return-value]


@per_class
def _names(model: type[Model]) -> tuple[str, ...]:
    return tuple(a.name for a in fields(model))


@per_class
def _values_getter(model: type[Model]) -> Callable[[Any], Any]:
    return attrgetter(*_names(model))


@per_class
def required(model: type[Model]) -> tuple[str, ...]:
    """Keys that the wire cannot be without."""
    return tuple(a.metadata.get(WIRE_NAME, a.name) for a in fields(model) if is_essential(a))
