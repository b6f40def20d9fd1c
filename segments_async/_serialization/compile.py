"""
Compile a reader and a writer for each model from source that names every field, as attrs and cattrs do.

A loop over a table of fields takes twice the time. A reader fills the slots itself: models are inert, so their
``__init__`` would do nothing more and takes five times as long. ``docs/architecture.md`` has the measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

import attrs

from segments_async._serialization.mismatch import StructureError
from segments_async.models._base import WIRE_NAME, Model
from segments_async.models._other_names import missing

Read = Callable[[Any, Any], Any]
"""Structures a value. The second argument is the object around the value, where cattrs passes the type."""
Write = Callable[[Any], Any]
Check = Callable[[Any, Any], bool]
"""Whether a value fits. The second argument is that of `Read`."""


@attrs.frozen(kw_only=True)
class Field:
    """What the source of a reader or writer needs to know about a field."""

    name: str
    key: str
    """The name on the wire."""
    required: bool
    passes: Collection[type]
    """Types whose values are taken as they are."""
    call: Callable[..., Any] | Mapping[type, Callable[[Any], Any]] | None
    """Reads values of other types, or has what writes them by type; None takes all values as they are."""
    nullable: bool = False
    """Whether None is written as null, and read."""
    default: Callable[[], Any] | None = None
    """Makes the value of a field that is missing or null, where its type has no None."""


@attrs.frozen(kw_only=True)
class FieldCheck:
    """What the source of a check needs to know about a field."""

    key: str
    """The name on the wire."""
    required: bool
    passes: Collection[type] = ()
    """Types whose values fit, null included; only if there is no *check*."""
    check: Check | None = None


def fields_of(model: type[Model]) -> list[attrs.Attribute[Any]]:
    """The fields of *model* but for `extra`, their types resolved."""
    return [a for a in attrs.fields(attrs.resolve_types(model)) if a.name != "extra"]


def key_of(attribute: attrs.Attribute[Any]) -> str:
    """The name on the wire."""
    key: str = attribute.metadata.get(WIRE_NAME, attribute.name)
    return key


def default_of(attribute: attrs.Attribute[Any]) -> Callable[[], Any] | None:
    """The factory of an attribute that has one."""
    factory: Callable[[], Any] | None = getattr(attribute.default, "factory", None)
    return factory


def arms_of(kind: Any) -> frozenset[Any]:
    """The members of a union; of anything else, itself."""
    return frozenset(get_args(kind) if is_union(kind) else (kind,))


def is_union(kind: Any) -> bool:
    """Whether *kind* is ``A | B`` or ``Optional[A]``."""
    return get_origin(kind) in (Union, UnionType)


class ByType(dict[Any, Callable[..., Any]]):
    """A function for each type, made when the type is first looked up."""

    def __init__(self, make: Callable[[Any], Callable[..., Any]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, kind: Any) -> Callable[..., Any]:
        made = self[kind] = self._make(kind)
        return made


def compile_reader(
    model: type[Model],
    fields: Collection[Field],
    refuse: Callable[[Any], StructureError],
    words: Mapping[str, Collection[str]],
) -> Read:
    """
    Compile the function that structures an object as a *model*.

    Args:
        model: The class.
        fields: Its fields, without `extra`.
        refuse: Makes the StructureError of a value that is not an object.
        words: Known values by key; another string there means that the object is of a kind no class describes.
    """

    def is_of_unknown_kind(value: dict[str, Any]) -> bool:
        return any(type(value.get(key)) is str and value[key] not in known for key, known in words.items())

    reads = ""
    slots = ""
    for i, field in enumerate(fields):
        reads += f"        v{i} = value.get({field.key!r})\n"
        tests = [f"type(v{i}) is not {passing.__name__}" for passing in field.passes]
        branch = "if"
        if not field.required:
            reads += f"        if v{i} is None:\n            absent += 1\n"
            reads += "" if field.default is None else f"            v{i} = default{i}()\n"
            branch = "elif"
        reads += f"        {branch} {' and '.join(tests) or 'True'}:\n"
        reads += f"            key = {field.key!r}\n"
        reads += f"            v{i} = call{i}(v{i}, value)\n"
        slots += f"    instance.{field.name} = v{i}\n"
    source = f"""
def read(value, parent):
    if type(value) is not dict:
        raise refuse(value)
    absent = 0
    try:
{reads or "        pass"}
    except StructureError as error:
        if key not in value:
            error.problem = missing(value.keys() - known, key)
        error.steps.append(key)
        if is_of_unknown_kind(value):
            error.is_of_unknown_kind = True
        raise
    instance = new(model)
{slots}
    if len(value) + absent == {len(fields)} or knows(value):
        instance.extra = {{}}
    else:
        instance.extra = {{k: v for k, v in value.items() if k not in known}}
    return instance
"""
    known = frozenset(field.key for field in fields)
    names = {
        "model": model,
        "new": object.__new__,
        "known": known,
        "missing": missing,
        "knows": known.issuperset,
        "refuse": refuse,
        "is_of_unknown_kind": is_of_unknown_kind,
    }
    return _compile(source, f"read {model.__name__}", names, fields)


def compile_writer(model: type[Model], fields: Collection[Field], write_extra: Write) -> Write:
    """
    Compile the function that makes an object of a *model*; None is left out unless the field is nullable.

    Args:
        model: The class.
        fields: Its fields, without `extra`.
        write_extra: Copies `extra` to the object that the fields are then written to.
    """
    writes = ""
    for i, field in enumerate(fields):
        new = f"v{i}" if field.call is None else f"call{i}[type(v{i})](v{i})"
        if field.passes and field.call is not None:
            tests = " or ".join(f"type(v{i}) is {passing.__name__}" for passing in field.passes)
            new = f"v{i} if {tests} else {new}"
        writes += f"        v{i} = instance.{field.name}\n"
        writes += f"        if v{i} is not None:\n"
        if field.call is not None:
            writes += f"            key = {field.key!r}\n"
        writes += f"            wire[{field.key!r}] = {new}\n"
        if field.nullable:
            writes += f"        else:\n            wire[{field.key!r}] = None\n"
    source = f"""
def write(instance):
    wire = write_extra(instance.extra) if instance.extra else {{}}
    try:
{writes or "        pass"}
    except StructureError as error:
        error.steps.append(key)
        raise
    return wire
"""
    return _compile(source, f"write {model.__name__}", {"write_extra": write_extra}, fields)


def compile_check(model: type[Model], fields: Collection[FieldCheck]) -> Check:
    """Compile the function that says whether an object can be structured as a *model*, by the rules of its reader."""
    tests = ["type(value) is dict"]
    names: dict[str, Any] = {}
    for i, field in enumerate(fields):
        found = f"value.get({field.key!r})"
        names[f"passes{i}"], names[f"check{i}"] = frozenset(field.passes), field.check
        if field.check is None:
            tests.append(f"type({found}) in passes{i}")
        elif field.required:
            tests.append(f"check{i}({found}, value)")
        else:
            tests.append(f"((v := {found}) is None or check{i}(v, value))")
    return _execute(f"def check(value, parent):\n    return {' and '.join(tests)}", f"check {model.__name__}", names)


def _compile(source: str, title: str, names: dict[str, Any], fields: Collection[Field]) -> Callable[..., Any]:
    calls = {f"call{i}": field.call for i, field in enumerate(fields)}
    defaults = {f"default{i}": field.default for i, field in enumerate(fields)}
    return _execute(source, title, {"StructureError": StructureError, **names, **calls, **defaults})


def _execute(source: str, title: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """Run *source*, and return the function that it defines: the first word of its *title*."""
    exec(compile(source, f"<segments_async: {title}>", "exec"), namespace)  # noqa: S102 - our own field names
    function: Callable[..., Any] = namespace[title.partition(" ")[0]]
    return function
