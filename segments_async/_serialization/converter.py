"""
JSON to models and back, through one cattrs converter.

Its hooks are strict, where cattrs' own would turn None into ``"None"`` and ``"7"`` into 7, and keep what they
do not know. They are made when a class is first met, and run in one pass: a problem collects its path on the
way out of the hooks, which costs nothing as long as there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from itertools import chain
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, overload

import cattrs

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
from segments_async._serialization.mismatch import StructureError
from segments_async.models._base import CHOOSE, WORDS, Choose, Model, Tagged, is_essential
from segments_async.models.label_attributes import LabelAttributes, choose_label_attributes
from segments_async.models.sample_attributes import SampleAttributes, choose_sample_attributes

if TYPE_CHECKING:
    import attrs

__all__ = ["check", "decode_json", "encode_json", "structure", "unstructure"]

T = TypeVar("T")

_NUMBERS: frozenset[type] = frozenset({int, float})
_LISTS: frozenset[type] = frozenset({list})
_BY_SHAPE: dict[frozenset[Any], Choose] = {
    arms_of(LabelAttributes): choose_label_attributes,
    arms_of(SampleAttributes): choose_sample_attributes,
}
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
    except StructureError as mismatch:
        raise mismatch.as_decode_error(value) from None


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
    except StructureError as mismatch:
        raise mismatch.as_input_error(path) from None


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
    except StructureError as mismatch:
        raise mismatch.as_input_error() from None


def _structure(value: Any, model: Any) -> Any:
    try:
        return converter.structure(value, model)
    except RecursionError:
        raise StructureError("nested too deeply") from None
    except StructureError:
        # Rarely the value is right but not plain JSON: it holds models, tuples, enum members, numpy arrays.
        return converter.structure(to_plain(value), model)


def _model_reader(model: type[Model]) -> Read:
    fields = fields_of(model)
    words = {key_of(a): a.metadata[WORDS] for a in fields if WORDS in a.metadata}
    return compile_reader(model, [_reader_field(a) for a in fields], partial(_unexpected, model), words)


def _reader_field(attribute: attrs.Attribute[Any]) -> Field:
    choose = attribute.metadata.get(CHOOSE)
    kind = attribute.type
    return Field(
        name=attribute.name,
        key=key_of(attribute),
        required=is_essential(attribute),
        passes=_passing(kind) if choose is None else (),
        call=converter.get_structure_hook(kind) if choose is None else _chosen_reader(kind, choose),
        default=default_of(attribute),
    )


def _chosen_reader(kind: Any, choose: Choose) -> Read:
    """Read a field whose class depends on its neighbours or its shape; what is of no class stays as it is."""
    read_as = ByType(converter.get_structure_hook)
    read_as[None] = _union_reader(kind, [arm for arm in arms_of(kind) if not _is_model(arm)])

    def read(value: Any, parent: Any) -> Any:
        model = None if value is None else choose(parent, value)
        try:
            return read_as[model](value, parent)
        except StructureError as mismatch:
            if model is None or not mismatch.is_of_unknown_kind:
                raise
            return read_as[None](value, parent)

    return read


def _tagged_reader(kind: Any) -> Read:
    """Read a union whose members say in one of their keys which one they are."""
    union, tagged = get_args(kind)
    readers = {word: converter.get_structure_hook(model) for word, model in tagged.classes.items()}

    def read(value: Any, parent: Any) -> Any:
        if type(value) is not dict:
            raise _unexpected(union, value)
        word = value.get(tagged.key)
        read_arm = readers.get(word) if type(word) is str else None
        return value if read_arm is None else read_arm(value, parent)

    return read


def _union_reader(kind: Any, arms: Iterable[Any] | None = None) -> Read:
    """Read a union whose members differ in their JSON types or in their shapes, so that the value tells which it is."""
    if arms is None and sum(map(_is_model, arms_of(kind))) > 1:
        return _chosen_reader(kind, _chooser_by_shape(kind))
    readers: dict[type, Read] = {}
    for arm in sorted(arms_of(kind) if arms is None else arms, key=lambda arm: arm is not datetime):
        for json_type in _json_types(arm):
            readers.setdefault(json_type, converter.get_structure_hook(arm))

    def read(value: Any, parent: Any) -> Any:
        read_arm = readers.get(type(value))
        if read_arm is None:
            raise _unexpected(kind, value)
        return read_arm(value, parent)

    return read


def _chooser_by_shape(kind: Any) -> Choose:
    models = {arm for arm in arms_of(kind) if _is_model(arm)}
    for known, choose in _BY_SHAPE.items():
        if models <= known:
            return lambda _, value: model if (model := choose({}, value)) in models else None
    raise TypeError(f"nothing tells the members of {kind} apart")


def _list_reader(kind: Any) -> Read:
    (item_kind,) = get_args(kind)
    core, depth = item_kind, 0
    while _is_list(core):
        core, depth = get_args(core)[0], depth + 1
    atoms = _json_types(core) if core in ATOMS else frozenset()

    def read(value: Any, parent: Any) -> list[Any]:
        if type(value) is not list:
            raise _unexpected(kind, value)
        if atoms and _holds_only(atoms, value, depth):
            return value
        read_item = converter.get_structure_hook(item_kind)  # not above, as models hold lists of their kind
        items: list[Any] = []
        try:
            for item in value:
                items.append(read_item(item, parent))  # noqa: PERF401 - its length is the path of a mismatch
        except StructureError as mismatch:
            mismatch.steps.append(len(items))
            raise
        return items

    return read


def _holds_only(atoms: frozenset[type], items: list[Any], depth: int) -> bool:
    """Whether *items*, lists of lists for *depth* levels, hold only *atoms*; fast, as points are many."""
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
        except StructureError as mismatch:
            mismatch.steps.append(key)
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


def _passing(kind: Any) -> frozenset[type]:
    """The types whose values are of *kind* just as they come."""
    plain = [arm for arm in arms_of(kind) - {NoneType, datetime} if _is_plain(arm)]
    return frozenset().union(*map(_json_types, plain)) - ({str} if datetime in arms_of(kind) else set())


def _json_types(kind: Any) -> frozenset[type]:
    """The types that JSON of *kind* has in Python."""
    if kind is float:
        return _NUMBERS
    if kind is datetime:
        return frozenset({str})
    if kind in ATOMS:
        return frozenset({kind})
    if _is_tagged(kind):
        return frozenset({dict})
    if is_union(kind):
        return frozenset().union(*map(_json_types, get_args(kind)))
    return _LISTS if _is_list(kind) else frozenset({dict})


def _unexpected(kind: Any, value: Any) -> StructureError:
    json_types = _json_types(kind)
    if type(value) in json_types:
        return StructureError("of an unknown shape")
    words = [
        word
        for json_type, word in _WORDS.items()
        if json_type in json_types and not (json_type is int and float in json_types)
    ]
    got = "null" if value is None else type(value).__name__
    return StructureError(f"expected {' or '.join(words)}, got {got}")


def _is_list(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is list


def _is_object(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping)


def _is_tagged(kind: Any) -> bool:
    return get_origin(kind) is Annotated and isinstance(get_args(kind)[1], Tagged)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _is_plain(kind: Any) -> bool:
    """Whether nothing has to be done to a value but to look at its type."""
    return kind in ATOMS or ((_is_object(kind) or _is_list(kind)) and get_args(kind)[-1] is Any)


converter = cattrs.Converter()
converter.register_structure_hook(datetime, lambda value, _: read_time(value))
converter.register_structure_hook_factory(_is_model, _model_reader)
converter.register_structure_hook_factory(is_union, _union_reader)
converter.register_structure_hook_factory(_is_tagged, _tagged_reader)
converter.register_structure_hook_factory(_is_object, _object_reader)
converter.register_structure_hook_factory(_is_list, _list_reader)
converter.register_structure_hook_factory(_is_plain, _plain_reader)
for _atom in ATOMS:  # cattrs looks at functions for single classes first
    converter.register_structure_hook(_atom, _plain_reader(_atom))
converter.register_unstructure_hook_func(_is_model, to_plain)
