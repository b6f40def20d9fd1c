"""
Schemas of `SampleUpdate` and `LabelUpdate` for pydantic: an object with the keys to change, and those that say of what.

Its values are read by the rules of the model that has the same keys.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from attrs import define, fields
from pydantic_core import core_schema

from segments_async._serialization.converter import unstructure
from segments_async._serialization.mismatch import StructureError
from segments_async._wire.pydantic_schema import as_validation_error, describe_model, read_model, title_of
from segments_async.models import LabelPut, LabelUpdate, SampleCreate, SampleUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async.models import Model

    Change = SampleUpdate | LabelUpdate


@define(kw_only=True)
class _ChangedSample(SampleCreate):
    """The keys of a `SampleUpdate`."""

    uuid: str


_MODELS: Mapping[type[Change], type[Model]] = {SampleUpdate: _ChangedSample, LabelUpdate: LabelPut}
_UNCHANGED: Mapping[type[Change], Mapping[str, Any]] = {
    SampleUpdate: {"name": "", "attributes": {}},
    LabelUpdate: {"attributes": {"annotations": []}},
}
"""Values of what the models require, but a change need not have."""


@cache
def core_schema_of(change: type[Change]) -> core_schema.CoreSchema:
    """Return the schema of a class of changes."""
    return core_schema.no_info_plain_validator_function(
        partial(_read, change),
        ref=f"{change.__module__}.{change.__qualname__}:{id(change)}",
        serialization=core_schema.plain_serializer_function_ser_schema(_write),
        metadata={"pydantic_js_functions": [partial(_describe, change)]},
    )


def _read(change: type[Change], value: Any) -> Change:
    if isinstance(value, change):
        return value
    target = fields(change)[0].name
    if isinstance(value, dict) and target not in value:
        raise as_validation_error(change, _problem("missing", target), value)
    read = read_model(_MODELS[change], {**_UNCHANGED[change], **value} if isinstance(value, dict) else value)
    for key, found in read.extra.items():
        raise as_validation_error(change, _problem("unknown key", key), found)
    return change(**{key: getattr(read, key) for key in value})


def _problem(words: str, key: str) -> StructureError:
    error = StructureError(words)
    error.steps.append(key)
    return error


def _write(change: Change) -> Any:
    target = {one.name: getattr(change, one.name) for one in fields(type(change)) if one.name != "changes"}
    return unstructure({key: value for key, value in target.items() if value is not None} | dict(change.changes))


def _describe(change: type[Change], core: Any, handler: Any) -> dict[str, Any]:
    described = describe_model(_MODELS[change], core, handler)
    required = [key for key in described["required"] if key not in _UNCHANGED[change]]
    return {**described, **title_of(change), "required": required, "additionalProperties": False}
