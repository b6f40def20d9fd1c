"""
JSON to models and back, through one cattrs converter.

Its hooks are strict, where cattrs' own would turn None into ``"None"`` and ``"7"`` into 7, and keep what they
do not know. They are made when a class is first met, and run in one pass: a problem collects its path on the
way out of the hooks, which costs nothing as long as there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import chain
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, overload

import attrs
import cattrs

from segments_async._json import ATOMS, Misfit, read_time, to_plain
from segments_async.errors import DecodeError
from segments_async.models._base import CHOOSE, WIRE_NAME, Choose, Model, per_class, required

T = TypeVar("T")
Read = Callable[[Any, Any], Any]
"""Structures a value. The second argument is what the value stands in; cattrs would have the type there."""

_NUMBERS: frozenset[type] = frozenset({int, float})
_LISTS: frozenset[type] = frozenset({list})
_WORDS = {
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
    Make models of plain JSON values, by the same rules as on the wire.

    Example:
        >>> sample = structure({"uuid": "u-1", "name": "a.png", "robot": 3}, Sample)
        >>> sample.name, sample.extra
        ('a.png', {'robot': 3})

    Args:
        value: Decoded JSON. It is not changed, but parts that no model describes are shared with the result.
        model: A model, or a type made of models: ``list[Sample]``, ``Sample | None``.

    Returns:
        An instance of *model*.

    Raises:
        DecodeError: A value is of the wrong type or an essential one is missing; `path` says where.
    """
    try:
        return _structure(value, model)
    except Misfit as misfit:
        raise DecodeError(misfit.problem, path=misfit.path, payload=value) from None


def check(value: Any, model: Any, path: str = "") -> None:
    """
    Refuse an argument that does not fit a model; what no model knows passes.

    Example:
        >>> check({"name": "a.png", "attributes": {"image": {"url": 7}}}, SampleCreate, "samples[17]")
        Traceback (most recent call last):
        segments_async.errors.InputError: samples[17].attributes.image.url: expected a string, got int

    Args:
        value: JSON, models, or a mixture.
        model: What it should be, as in `structure`.
        path: Where the argument stands among the others.

    Raises:
        InputError: A value is of the wrong type or an essential one is missing; `path` says where.
    """
    try:
        _structure(value, model)
    except Misfit as misfit:
        raise misfit.as_input_error(path) from None


def unstructure(value: Any) -> Any:
    """
    Make plain JSON values of models, wherever in *value* they are.

    Example:
        >>> unstructure(ImageSampleAttributes.from_url("https://example.com/a.png"))
        {'image': {'url': 'https://example.com/a.png'}}

    Args:
        value: A model, or JSON that holds models, times, enum members, UUIDs, numpy scalars or arrays.

    Returns:
        New containers, all the way down: changing them changes no model.

    Raises:
        InputError: Something in it has no form in JSON, such as a time without a zone; `path` says where.
    """
    try:
        return to_plain(value)
    except Misfit as misfit:
        raise misfit.as_input_error() from None


def _structure(value: Any, model: Any) -> Any:
    try:
        return converter.structure(value, model)
    except RecursionError:
        raise Misfit("nested too deeply") from None
    except Misfit:
        # Rarely the value is right but not plain JSON: it holds models, tuples, enum members, numpy arrays.
        return converter.structure(to_plain(value), model)


def _model_reader(model: type[Model]) -> Read:
    def read(value: Any, _: Any) -> Model:
        if type(value) is not dict:
            raise _unexpected(model, value)
        fields = _fields_of(model)  # asked for here, not above, as models may hold their own kind
        known = {}
        extra = {}
        try:
            for key, item in value.items():
                if key in fields:
                    name, untouched, read_item = fields[key]
                    known[name] = item if type(item) is untouched else read_item(item, value)
                else:
                    extra[key] = item
        except Misfit as misfit:
            misfit.steps.append(key)
            raise
        try:
            return model(extra=extra, **known)
        except TypeError:
            raise _missing(model, known) from None

    return read


@per_class
def _fields_of(model: type[Model]) -> dict[str, tuple[str, type | None, Read]]:
    """By key on the wire: the attribute's name, the type that passes as it is (or None), its reader."""
    fields = {}
    for a in attrs.fields(attrs.resolve_types(model)):
        if a.name == "extra":
            continue
        choose = a.metadata.get(CHOOSE)
        read = converter.get_structure_hook(a.type) if choose is None else _chosen_reader(a.type, choose)
        fields[a.metadata.get(WIRE_NAME, a.name)] = (a.name, _untouched(a.type), read)
    return fields


def _missing(model: type[Model], known: dict[str, Any]) -> Misfit:
    misfit = Misfit("missing")
    fields = _fields_of(model).items()
    misfit.steps.append(
        next(key for key, (name, _, _) in fields if name in required(model) and name not in known)
    )
    return misfit


def _chosen_reader(kind: Any, choose: Choose) -> Read:
    """Read a field whose class depends on its neighbours or its shape; what is of no class stays as it is."""
    read_plain = _union_reader(kind, [arm for arm in _arms(kind) if not _is_model(arm)])

    def read(value: Any, parent: Any) -> Any:
        model = None if value is None else choose(parent, value)
        return (read_plain if model is None else converter.get_structure_hook(model))(value, parent)

    return read


def _union_reader(kind: Any, arms: Iterable[Any] | None = None) -> Read:
    """Read a union whose members differ in their JSON types, so that the value tells which one it is."""
    readers: dict[type, Read] = {}
    for arm in sorted(_arms(kind) if arms is None else arms, key=lambda arm: arm is not datetime):
        for json_type in _json_types(arm):
            readers.setdefault(json_type, converter.get_structure_hook(arm))

    def read(value: Any, parent: Any) -> Any:
        read_arm = readers.get(type(value))
        if read_arm is None:
            raise _unexpected(kind, value)
        return read_arm(value, parent)

    return read


def _list_reader(kind: Any) -> Read:
    (item_kind,) = get_args(kind)
    read_item = converter.get_structure_hook(item_kind)
    core, depth = item_kind, 0
    while _is_list(core):
        core, depth = get_args(core)[0], depth + 1
    atoms = _json_types(core) if core in ATOMS else frozenset()

    def read(value: Any, parent: Any) -> list[Any]:
        if type(value) is not list:
            raise _unexpected(kind, value)
        if atoms and _holds_only(atoms, value, depth):
            return value
        items: list[Any] = []
        try:
            for item in value:
                items.append(read_item(item, parent))  # noqa: PERF401 - its length is the path of a misfit
        except Misfit as misfit:
            misfit.steps.append(len(items))
            raise
        return items

    return read


def _holds_only(atoms: frozenset[type], items: list[Any], depth: int) -> bool:
    """Whether *items*, lists of lists for *depth* levels, hold only *atoms*; points are many, so look in C."""
    for _ in range(depth):
        if not _LISTS.issuperset(map(type, items)):
            return False
        items = list(chain.from_iterable(items))
    return atoms.issuperset(map(type, items))


def _object_reader(kind: Any) -> Read:
    read_item = converter.get_structure_hook(get_args(kind)[1])

    def read(value: Any, parent: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _unexpected(kind, value)
        items = {}
        try:
            for key, item in value.items():
                items[key] = read_item(item, parent)
        except Misfit as misfit:
            misfit.steps.append(key)
            raise
        return items

    return read


def _plain_reader(kind: Any) -> Read:
    json_types = _json_types(kind)

    def read(value: Any, _: Any) -> Any:
        if type(value) in json_types:
            return value
        raise _unexpected(kind, value)

    return read


def _untouched(kind: Any) -> type | None:
    """The type whose values are of *kind* just as they come, if there is one."""
    arms = _arms(kind) - {NoneType}
    if len(arms) > 1 or not _is_plain(*arms):
        return None
    (json_type, *others) = _json_types(*arms)
    return float if others else json_type


def _json_types(kind: Any) -> frozenset[type]:
    """The types that JSON of *kind* has in Python."""
    if kind is float:
        return _NUMBERS
    if kind is datetime:
        return frozenset({str})
    if kind in ATOMS:
        return frozenset({kind})
    if _is_union(kind):
        return frozenset().union(*map(_json_types, get_args(kind)))
    return _LISTS if _is_list(kind) else frozenset({dict})


def _unexpected(kind: Any, value: Any) -> Misfit:
    json_types = _json_types(kind)
    words = [
        word
        for json_type, word in _WORDS.items()
        if json_type in json_types and not (json_type is int and float in json_types)
    ]
    got = "null" if value is None else type(value).__name__
    return Misfit(f"expected {' or '.join(words)}, got {got}")


def _arms(kind: Any) -> frozenset[Any]:
    return frozenset(get_args(kind) if _is_union(kind) else (kind,))


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _is_list(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is list


def _is_object(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _is_plain(kind: Any) -> bool:
    """Whether nothing has to be done to a value but to look at its type."""
    return kind in ATOMS or ((_is_object(kind) or _is_list(kind)) and get_args(kind)[-1] is Any)


converter = cattrs.Converter()
converter.register_structure_hook(datetime, lambda value, _: read_time(value))
converter.register_structure_hook_factory(_is_model, _model_reader)
converter.register_structure_hook_factory(_is_union, _union_reader)
converter.register_structure_hook_factory(_is_object, _object_reader)
converter.register_structure_hook_factory(_is_list, _list_reader)
converter.register_structure_hook_factory(_is_plain, _plain_reader)
for _atom in (*ATOMS,):  # cattrs looks at functions for single classes first
    converter.register_structure_hook(_atom, _plain_reader(_atom))
converter.register_unstructure_hook_func(_is_model, to_plain)
