"""
Schemas of the models for pydantic, so that they are types of FastAPI's routes.

pydantic asks for them (`Model.__get_pydantic_core_schema__`), so this module, the only one that imports it, needs no
extra. Values are read and written by this package, by the same rules as those of the service. What is meant to be sent
is checked as the calls that send it do.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from inspect import cleandoc
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic_core import PydanticCustomError, ValidationError, core_schema

from segments_async._serialization.compile import fields_of, is_union, key_of
from segments_async._serialization.converter import other_class_of, read_value, unstructure
from segments_async._serialization.json import check_json
from segments_async._serialization.mismatch import StructureError
from segments_async._wire.categories import check_categories
from segments_async._wire.contents import check_label, check_sample
from segments_async._wire.input_paths import steps_of
from segments_async.errors import InputError
from segments_async.models import LabelPut, SampleCreate, TaskAttributes
from segments_async.models._base import Model, is_required, per_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic_core import InitErrorDetails

    JsonSchema = dict[str, Any]
    Describe = Callable[[Any], JsonSchema]
    """Returns the JSON schema of a core schema."""

_ATOMS: dict[Any, JsonSchema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
}
_CHECKS: tuple[tuple[type[Model], Callable[[Any], None]], ...] = (
    (LabelPut, check_label),
    (SampleCreate, check_sample),
    (TaskAttributes, check_categories),
)
"""How what is meant to be sent is checked; models that are also read, such as `Dataset`, may have anything new."""
_being_described: ContextVar[frozenset[type]] = ContextVar("_being_described", default=frozenset())
"""The models whose description is not finished, as models may contain lists of themselves."""


@per_class
def core_schema_of(model: type[Model]) -> core_schema.CoreSchema:
    """Return the schema of a model."""
    return core_schema.no_info_plain_validator_function(
        partial(read_model, model),
        ref=_ref_of(model),
        serialization=core_schema.plain_serializer_function_ser_schema(unstructure),
        metadata={"pydantic_js_functions": [partial(describe_model, model)]},
    )


def read_model(model: type[Model], value: Any) -> Model:
    """Read JSON as a model; what does not fit is an error of pydantic that says where."""
    if isinstance(value, model):
        return value
    try:
        check_json(value)
    except StructureError as error:
        raise as_validation_error(model, error, ascii(_at(value, error.steps))) from None
    try:
        read = _read_as(model, value)
    except StructureError as error:
        raise as_validation_error(model, error, _at(value, error.steps)) from None
    return read


def _read_as(model: type[Model], value: Any) -> Model:
    other = other_class_of(value, model)
    if other is not None:  # its frames or annotations would stay plain JSON
        raise StructureError(f"expected {model.__name__}, got what looks like {other.__name__}")
    read: Model = read_value(value, model)
    for kind, check in _CHECKS:
        if isinstance(read, kind):
            _run(check, value)
    return read


def _run(check: Callable[[Any], None], value: Any) -> None:
    try:
        check(value)
    except InputError as error:
        located = StructureError(error.problem)
        located.steps.extend(reversed(steps_of(error.path, value)))
        raise located from error


def as_validation_error(kind: type, error: StructureError, found: Any) -> ValidationError:
    """Return the error of pydantic for what was *found* where *error* says."""
    problem = PydanticCustomError("invalid_value", error.problem)
    line: InitErrorDetails = {"type": problem, "loc": tuple(reversed(error.steps)), "input": found}
    return ValidationError.from_exception_data(kind.__name__, [line])


def _at(value: Any, steps: Sequence[str | int]) -> Any:
    """Return the part of *value* at a location, innermost step first; the object around it, if it is missing."""
    for step in reversed(steps):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
    return value


def describe_model(model: type[Model], _: Any, handler: Describe) -> JsonSchema:
    """Return the JSON schema of a model."""
    with _describing(model):
        fields = fields_of(model)
        schema: JsonSchema = {
            "type": "object",
            **title_of(model),
            "properties": {key_of(field): _describe(field.type, handler) for field in fields},
            "additionalProperties": True,
        }
        required = [key_of(field) for field in fields if is_required(field)]
        return {**schema, "required": required} if required else schema


def title_of(kind: type) -> JsonSchema:
    """Return what a JSON schema says about a class."""
    return {
        "title": kind.__name__,
        "description": cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " "),
    }


@contextmanager
def _describing(model: type[Model]) -> Iterator[None]:
    token = _being_described.set(_being_described.get() | {model})
    try:
        yield
    finally:
        _being_described.reset(token)


def _describe(kind: Any, handler: Describe) -> JsonSchema:
    if kind in _ATOMS:
        return dict(_ATOMS[kind])
    if isinstance(kind, type) and issubclass(kind, Model):
        return _refer_to(kind, handler)
    if is_union(kind):
        return _any_of([_describe(arm, handler) for arm in get_args(kind)])
    if get_origin(kind) is Annotated:  # a `Tagged` union: an object with an unknown tag stays plain
        return _any_of([_describe(get_args(kind)[0], handler), {"type": "object"}])
    return {} if kind is Any else _describe_container(kind, handler)


def _describe_container(kind: Any, handler: Describe) -> JsonSchema:
    items = _describe(get_args(kind)[-1], handler)
    if get_origin(kind) is list:
        return {"type": "array", "items": items}
    return {"type": "object", "additionalProperties": items or True}


def _refer_to(model: type[Model], handler: Describe) -> JsonSchema:
    """Return a reference to the schema of *model*, which pydantic adds to its definitions."""
    if model in _being_described.get():
        return handler(core_schema.definition_reference_schema(_ref_of(model)))
    # As items of a list: pydantic treats the schema that it is given here as that of the model around it.
    items: JsonSchema = handler(core_schema.list_schema(core_schema_of(model)))["items"]
    return items


def _any_of(schemas: list[JsonSchema]) -> JsonSchema:
    flat = [arm for schema in schemas for arm in schema.get("anyOf", [schema])]
    distinct = [schema for place, schema in enumerate(flat) if schema not in flat[:place]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _ref_of(model: type[Model]) -> str:
    return f"{model.__module__}.{model.__qualname__}:{id(model)}"
