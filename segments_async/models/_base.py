"""The base class of all models, and field metadata for `segments_async._serialization.converter`."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import StrEnum
from functools import cache
from importlib import import_module
from operator import attrgetter
from reprlib import recursive_repr
from types import NoneType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import NOTHING, Attribute, define, field, fields, frozen
from attrs.exceptions import NotAnAttrsClassError

from segments_async.models._other_names import HidesOtherNames, name_other_methods

Choose = Callable[[Mapping[str, Any], Any], "type[Model] | None"]
"""Given the JSON object that contains a value, and the value, return its class; None leaves it as plain JSON."""

if TYPE_CHECKING:
    from dataclasses import Field as DataclassField

T = TypeVar("T")
WIRE_NAME = "segments_async.wire_name"
CHOOSE = "segments_async.choose"
KNOWN_VALUES = "segments_async.known_values"
_ATOMS = frozenset({str, int, float, bool, NoneType})


class _DataclassFields:
    """
    The fields of a model, as the module `dataclasses` has them.

    FastAPI takes a parameter for the body only if its class derives from pydantic's or is a dataclass.
    """

    def __get__(self, instance: object, model: "type[Model]") -> "dict[str, DataclassField[Any]]":
        try:
            return _dataclass_fields(model)
        except NotAnAttrsClassError as error:  # a base of the models, which `help` asks too
            raise AttributeError(str(error), name="__dataclass_fields__", obj=model) from error


class TypeOfRoutes:
    """What FastAPI looks for; inherited, as orjson writes an object whose own class has it without asking us."""

    __slots__ = ()

    if not TYPE_CHECKING:  # attrs classes, for type checkers
        __dataclass_fields__ = _DataclassFields()
        __dataclass_params__ = SimpleNamespace(
            init=True, repr=False, eq=True, order=False, unsafe_hash=False, frozen=False
        )


@define(kw_only=True)
class Model(HidesOtherNames, TypeOfRoutes):  # noqa: PLW1641 (mutable, so without a hash)
    """
    Base class of all data models. Models are mutable, have slots and perform no requests.

    Optional fields are None if the service did not send them; they are not sent back then.
    """

    extra: dict[str, Any] = field(factory=dict, repr=False)
    """Unknown keys; they are sent back unchanged, at the same level."""

    def __init_subclass__(cls) -> None:
        # attrs would generate and compile these for each of a hundred classes, which takes a third of the import time.
        cls.__repr__ = Model.__repr__  # type: ignore[method-assign]
        cls.__eq__ = Model.__eq__  # type: ignore[method-assign]
        super().__init_subclass__()

    @recursive_repr()
    def __repr__(self) -> str:
        displayed = ((a.name, a.repr, getattr(self, a.name)) for a in fields(type(self)) if a.repr)
        parts = (f"{name}={format_(value) if callable(format_) else repr(value)}" for name, format_, value in displayed)
        return f"{type(self).__qualname__}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        values_of = _values_getter(type(self))
        return bool(values_of(self) == values_of(other))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A label can contain tens of thousands of models, and copying them with __reduce_ex__ is several times slower.
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        for name in _names(type(self)):
            value = getattr(self, name)
            setattr(copied, name, value if type(value) in _ATOMS else deepcopy(value, memo))
        return copied

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return the schema for pydantic, which makes models types of FastAPI's routes."""
        # By its name, as it belongs to a layer above, and as pydantic, which alone calls this, is not a dependency.
        return import_module("segments_async._wire.pydantic_schema").core_schema_of(cls)


name_other_methods(Model)


@frozen(eq=False)
class Tagged:
    """
    Annotation of a union (in `typing.Annotated`): the key whose value determines the class of an object.

    An object with an unknown value stays plain JSON.
    """

    key: str
    classes: Mapping[str, type[Model]]


def wire_name(name: str) -> dict[str, Any]:
    """Field metadata: the key is named *name* in JSON."""
    return {WIRE_NAME: name}


def chosen_by(choose: Choose) -> dict[str, Any]:
    """Field metadata: *choose* returns the class of the value, from a tag in the same object or from its shape."""
    return {CHOOSE: choose}


def known_values(enum: type[StrEnum]) -> dict[str, Any]:
    """Field metadata: an object whose value is not in *enum* may be of an unknown kind."""
    return {KNOWN_VALUES: tuple(str(value) for value in enum)}


def is_required(attribute: "Attribute[Any]") -> bool:
    """
    Whether JSON must contain the key of a field.

    This includes fields with a constant default, which is only a convenience for callers.
    """
    return attribute.default is NOTHING or isinstance(attribute.default, str | int | float)


def has_required_keys(value: Any, model: type[Model]) -> bool:
    """Whether *value* is an object that contains all required keys of *model*."""
    return type(value) is dict and all(value.get(key) is not None for key in required_keys(model))


def per_class(function: Callable[[type[Model]], T]) -> Callable[[type[Model]], T]:
    """Apply `functools.cache`; type checkers reject it because models, unlike their classes, are not hashable."""
    return cache(function)  # type: ignore[return-value]


@per_class
def _names(model: type[Model]) -> tuple[str, ...]:
    return tuple(a.name for a in fields(model))


@per_class
def _dataclass_fields(model: type[Model]) -> "dict[str, DataclassField[Any]]":
    from dataclasses import fields as dataclass_fields, make_dataclass  # noqa: PLC0415 (for FastAPI and cattrs alone)

    specifications = [(a.name, a.type, _dataclass_field(a)) for a in fields(model)]
    return {item.name: item for item in dataclass_fields(make_dataclass(model.__name__, specifications))}


def _dataclass_field(attribute: "Attribute[Any]") -> Any:
    """Return the field with the same default: a converter of cattrs asks a dataclass for it."""
    from dataclasses import MISSING, field as dataclass_field  # noqa: PLC0415 (likewise)

    factory = getattr(attribute.default, "factory", None)
    if factory is not None:
        return dataclass_field(default_factory=factory, kw_only=True)
    return dataclass_field(default=MISSING if attribute.default is NOTHING else attribute.default, kw_only=True)


@per_class
def _values_getter(model: type[Model]) -> Callable[[Any], Any]:
    return attrgetter(*_names(model))


@per_class
def required_keys(model: type[Model]) -> tuple[str, ...]:
    """Return the keys that JSON of *model* must contain."""
    return tuple(a.metadata.get(WIRE_NAME, a.name) for a in fields(model) if is_required(a))
