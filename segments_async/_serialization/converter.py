"""
Convert JSON to models and back, with one cattrs converter.

Its hooks are strict, unlike the default hooks of cattrs, which convert None to ``"None"`` and ``"7"`` to 7. They keep
unknown data. In responses, what is stored in a sample or a label need not fit its class, and stays plain JSON.

Hooks are created when a class is first used, and run in one pass: an error collects its path while it propagates
through the hooks, so valid data has no overhead.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, overload

import cattrs

from segments_async._caller_errors import caller_error
from segments_async._serialization.compile import (
    ByType,
    Field,
    Read,
    arms_of,
    compile_reader,
    default_of,
    fields_of,
    is_union,
    key_of,
)
from segments_async._serialization.json import ATOMS, decode_json, encode_json, read_time, to_plain
from segments_async._serialization.kinds import (
    BY_SHAPE,
    atoms_of,
    chooser_by_shape,
    contains_only,
    is_list,
    is_model,
    is_object,
    is_plain,
    is_tagged,
    json_types_of,
    unconverted_types,
)
from segments_async._serialization.mismatch import StructureError
from segments_async.models._base import CHOOSE, KNOWN_VALUES, Choose, Model, is_required

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import attrs

__all__ = ["check", "decode_json", "encode_json", "structure", "structure_answer", "unstructure"]

T = TypeVar("T")

_keeps_misfits: ContextVar[bool] = ContextVar("_keeps_misfits", default=False)
"""Whether a value that does not fit the class of its tag or shape stays plain JSON, where the field allows that."""
_JSON_TYPE_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


@overload
def structure(value: Any, model: type[T]) -> T: ...
@overload
def structure(value: Any, model: UnionType) -> Any: ...
def structure(value: Any, model: Any) -> Any:
    """
    Convert plain JSON values to models, by the same rules as for responses of the service.

    Only in responses, attributes of a sample or a label that do not fit their type stay plain JSON.

    Example:
        >>> sample = structure({"uuid": "u-1", "name": "a.png", "robot": 3}, Sample)
        >>> sample.name, sample.extra
        ('a.png', {'robot': 3})

    Args:
        value: Decoded JSON. It is not changed, but the result shares the parts that no model describes.
        model: A model class, or a type that contains models: ``list[Sample]``, ``Sample | None``.

    Returns:
        An instance of *model*.

    Raises:
        DecodeError: A value is of the wrong type or an essential one is missing; `path` says where.
    """
    try:
        return read_value(value, model)
    except StructureError as error:
        raise error.as_decode_error(value) from error.__cause__


@overload
def structure_answer(value: Any, model: type[T]) -> T: ...
@overload
def structure_answer(value: Any, model: UnionType) -> Any: ...
def structure_answer(value: Any, model: Any) -> Any:
    """
    Convert what the service has stored as `structure` does, but keep what does not fit its class as plain JSON.

    The attributes of a sample, a label or a sensor may be of any form, even a number, as other programs write them too:
    one damaged label must not make the others unreadable.
    """
    try:
        return read_value(value, model)
    except StructureError:
        pass
    try:
        with _keeping_misfits():
            return read_value(value, model)
    except StructureError as error:
        raise error.as_decode_error(value) from error.__cause__


def check(value: Any, model: Any, path: str = "") -> Any:
    """
    Check that an argument matches a model; unknown data is accepted.

    Example:
        >>> check({"name": "a.png", "attributes": {"image": {"url": 7}}}, SampleCreate, "samples[17]")
        Traceback (most recent call last):
        segments_async.errors.InputError: samples[17].attributes.image.url: expected a string, got int

    Args:
        value: JSON, models, or JSON that contains models.
        model: The expected type, as in `structure`.
        path: The location of the argument, for error messages.

    Returns:
        The models that the value was read as.

    Raises:
        InputError: A value is of the wrong type, an essential one is missing, or a value raises an exception (the
            ``__cause__``); `path` says where.
    """
    try:
        return read_value(value, model)
    except StructureError as error:
        raise error.as_input_error(path) from error.__cause__
    except Exception as error:
        raise caller_error(error, path) from error


def unstructure(value: Any) -> Any:
    """
    Convert models to plain JSON values, at any depth in *value*.

    Example:
        >>> unstructure(ImageSampleAttributes.from_url("https://example.com/a.png"))
        {'image': {'url': 'https://example.com/a.png'}}

    Args:
        value: A model, or JSON that contains models, datetimes, enum members, UUIDs, numpy scalars or arrays.

    Returns:
        New containers at every level, so changing them does not change a model.

    Raises:
        InputError: A value cannot be represented in JSON, such as a naive datetime, or raises an exception (the
            ``__cause__``); `path` says where.
    """
    try:
        return to_plain(value)
    except StructureError as error:
        raise error.as_input_error() from error.__cause__
    except Exception as error:
        raise caller_error(error) from error


@contextmanager
def _keeping_misfits() -> Iterator[None]:
    token = _keeps_misfits.set(True)
    try:
        yield
    finally:
        _keeps_misfits.reset(token)


def read_value(value: Any, model: Any) -> Any:
    """Structure a value as `structure` does, but raise `StructureError`."""
    try:
        return _READERS[model](value, model)
    except RecursionError:
        raise StructureError("nested too deeply") from None
    except StructureError:
        # In rare cases, the value is valid but contains models, tuples, enum members or numpy arrays.
        plain = to_plain(value)
    try:
        return _READERS[model](plain, model)
    except RecursionError:
        raise StructureError("nested too deeply") from None


def reader_of(model: Any) -> Read:
    """Return what structures values that `fit`, faster than `structure`; other values raise StructureError."""
    return _READERS[model]


def other_class_of(value: Any, model: Any) -> type[Model] | None:
    """Return the class of attributes that *value* is by its shape, if that is certain and not *model*."""
    choose = next((choose for known, choose in BY_SHAPE.items() if model in known), None)
    found = None if choose is None else choose({}, value)
    return None if found is model else found


def _model_reader(model: type[Model]) -> Read:
    fields = fields_of(model)
    known_values = {key_of(a): a.metadata[KNOWN_VALUES] for a in fields if KNOWN_VALUES in a.metadata}
    return compile_reader(model, [_reader_field(a) for a in fields], partial(_type_error, model), known_values)


def _reader_field(attribute: attrs.Attribute[Any]) -> Field:
    choose = attribute.metadata.get(CHOOSE)
    kind = attribute.type
    return Field(
        name=attribute.name,
        key=key_of(attribute),
        required=is_required(attribute),
        passes=unconverted_types(kind) if choose is None else (),
        call=_read_of(attribute) if choose is None else _chosen_reader(kind, choose),
        default=default_of(attribute),
    )


def _read_of(attribute: attrs.Attribute[Any]) -> Read:
    arms = arms_of(attribute.type) - {NoneType}
    if len(arms) == 1 and not is_required(attribute):  # null never reaches the union's reader
        return converter.get_structure_hook(*arms)
    return converter.get_structure_hook(attribute.type)


def _chosen_reader(kind: Any, choose: Choose) -> Read:
    """Read a field whose class depends on other fields or on its shape; a value without a class stays plain JSON."""
    read_as = ByType(converter.get_structure_hook)
    read_as[None] = _union_reader(kind, [arm for arm in arms_of(kind) if not is_model(arm)])
    takes_json = not all(is_model(arm) or arm is NoneType for arm in arms_of(kind))

    def read(value: Any, parent: Any) -> Any:
        model = None if value is None else choose(parent, value)
        try:
            return read_as[model](value, parent)
        except StructureError as error:
            if takes_json and value is not None and _keeps_misfits.get():
                return value
            if model is None or not error.is_of_unknown_kind:
                raise
            return keep(value, error)

    def keep(value: Any, error: StructureError) -> Any:
        try:
            return read_as[None](value, {})
        except StructureError:
            raise error from None  # the field takes no plain JSON

    return read


def _tagged_reader(kind: Any) -> Read:
    """Read a union whose members are identified by the value of a key."""
    union, tagged = get_args(kind)
    readers = {tag: converter.get_structure_hook(model) for tag, model in tagged.classes.items()}

    def read(value: Any, parent: Any) -> Any:
        if type(value) is not dict:
            raise _type_error(union, value)
        tag = value.get(tagged.key)
        read_arm = readers.get(tag) if type(tag) is str else None
        if read_arm is None:
            return value
        try:
            return read_arm(value, parent)
        except StructureError:
            if _keeps_misfits.get():
                return value
            raise

    return read


def _union_reader(kind: Any, arms: Iterable[Any] | None = None) -> Read:
    """Read a union whose members differ in their JSON types or shapes."""
    if arms is None and sum(map(is_model, arms_of(kind))) > 1:
        return _chosen_reader(kind, chooser_by_shape(kind))
    readers: dict[type, Read] = {}
    for arm in sorted(arms_of(kind) if arms is None else arms, key=lambda arm: arm is not datetime):
        for json_type in json_types_of(arm):
            readers.setdefault(json_type, converter.get_structure_hook(arm))

    def read(value: Any, parent: Any) -> Any:
        read_arm = readers.get(type(value))
        if read_arm is None:
            raise _type_error(kind, value)
        return read_arm(value, parent)

    return read


def _list_reader(kind: Any) -> Read:
    (item_kind,) = get_args(kind)
    atoms, depth = atoms_of(item_kind)

    def read(value: Any, parent: Any) -> list[Any]:
        if type(value) is not list:
            raise _type_error(kind, value)
        if atoms and contains_only(atoms, value, depth):
            return value
        # Not looked up outside of this function, because models may contain lists of themselves.
        read_item = converter.get_structure_hook(item_kind)
        items: list[Any] = []
        try:
            for item in value:
                items.append(read_item(item, parent))  # noqa: PERF401 - its length is the index for the path of an error
        except StructureError as error:
            error.steps.append(len(items))
            raise
        return items

    return read


def _object_reader(kind: Any) -> Read:
    read_item = converter.get_structure_hook(get_args(kind)[1])

    def read(value: Any, parent: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _type_error(kind, value)
        items = {}
        try:
            for key, item in value.items():
                items[key] = read_item(item, parent)
        except StructureError as error:
            error.steps.append(key)
            raise
        return items

    return read


def _plain_reader(kind: Any) -> Read:
    json_types = json_types_of(kind)

    def read(value: Any, _: Any) -> Any:
        if type(value) in json_types:
            return value
        raise _type_error(kind, value)

    return read


def _type_error(kind: Any, value: Any) -> StructureError:
    json_types = json_types_of(kind)
    if type(value) in json_types:
        return StructureError("unknown shape")
    expected = [
        name
        for json_type, name in _JSON_TYPE_NAMES.items()
        if json_type in json_types and not (json_type is int and float in json_types)
    ]
    got = "null" if value is None else type(value).__name__
    return StructureError(f"expected {' or '.join(expected)}, got {got}")


converter = cattrs.Converter()
converter.register_structure_hook(datetime, lambda value, _: read_time(value))
converter.register_structure_hook_factory(is_model, _model_reader)
converter.register_structure_hook_factory(is_union, _union_reader)
converter.register_structure_hook_factory(is_tagged, _tagged_reader)
converter.register_structure_hook_factory(is_object, _object_reader)
converter.register_structure_hook_factory(is_list, _list_reader)
converter.register_structure_hook_factory(is_plain, _plain_reader)
for _atom in ATOMS:  # cattrs looks up hooks for single classes first
    converter.register_structure_hook(_atom, _plain_reader(_atom))
converter.register_unstructure_hook_func(is_model, to_plain)
_READERS = ByType(converter.get_structure_hook)
"""The hook for each type; the converter looks it up in three times as long."""
