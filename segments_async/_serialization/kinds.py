"""What the types in the annotations of models mean for JSON: for the readers of models, and for `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from segments_async._serialization.compile import arms_of, is_union
from segments_async._serialization.json import ATOMS
from segments_async.models._base import Choose, Model, Tagged
from segments_async.models.label_attributes import LabelAttributes, choose_label_attributes
from segments_async.models.sample_attributes import SampleAttributes, choose_sample_attributes

LISTS: frozenset[type] = frozenset({list})
_NUMBERS: frozenset[type] = frozenset({int, float})
BY_SHAPE: dict[frozenset[Any], Choose] = {
    arms_of(LabelAttributes): choose_label_attributes,
    arms_of(SampleAttributes): choose_sample_attributes,
}
"""By the members of a union of models, what chooses one of them by its shape."""


def atoms_of(kind: Any) -> tuple[frozenset[type], int]:
    """The types of the innermost items of *kind*, lists in lists, if they are atoms; and how many levels there are."""
    depth = 0
    while is_list(kind):
        kind, depth = get_args(kind)[0], depth + 1
    return json_types_of(kind) if kind in ATOMS else frozenset(), depth


def contains_only(atoms: frozenset[type], items: list[Any], depth: int) -> bool:
    """Whether *items*, nested lists of *depth* levels, contain only *atoms*; fast, as labels have many points."""
    for _ in range(depth):
        if not LISTS.issuperset(map(type, items)):
            return False
        items = list(chain.from_iterable(items))
    return atoms.issuperset(map(type, items))


def unconverted_types(kind: Any) -> frozenset[type]:
    """Return the types whose values match *kind* without conversion."""
    plain = [arm for arm in arms_of(kind) - {NoneType, datetime} if is_plain(arm)]
    return frozenset().union(*map(json_types_of, plain)) - ({str} if datetime in arms_of(kind) else set())


def json_types_of(kind: Any) -> frozenset[type]:
    """Return the Python types of decoded JSON of *kind*."""
    if kind is float:
        return _NUMBERS
    if kind is datetime:
        return frozenset({str})
    if kind in ATOMS:
        return frozenset({kind})
    if is_tagged(kind):
        return frozenset({dict})
    if is_union(kind):
        return frozenset().union(*map(json_types_of, get_args(kind)))
    return LISTS if is_list(kind) else frozenset({dict})


def is_list(kind: Any) -> bool:
    """Whether *kind* is ``list[...]``."""
    origin: Any = get_origin(kind)
    return origin is list


def is_object(kind: Any) -> bool:
    """Whether *kind* is ``dict[str, ...]``."""
    return get_origin(kind) in (dict, Mapping)


def is_tagged(kind: Any) -> bool:
    """Whether *kind* is a union whose members a key tells apart."""
    return get_origin(kind) is Annotated and isinstance(get_args(kind)[1], Tagged)


def is_model(kind: Any) -> bool:
    """Whether *kind* is a class of models."""
    return isinstance(kind, type) and issubclass(kind, Model)


def is_plain(kind: Any) -> bool:
    """Whether a value only needs a type check, and no conversion."""
    return kind in ATOMS or ((is_object(kind) or is_list(kind)) and get_args(kind)[-1] is Any)


def chooser_by_shape(kind: Any) -> Choose:
    """Return what chooses a member of a union of models by its shape."""
    models = {arm for arm in arms_of(kind) if is_model(arm)}
    for known, choose in BY_SHAPE.items():
        if models <= known:
            return lambda _, value: model if (model := choose({}, value)) in models else None
    raise TypeError(f"cannot distinguish the members of {kind}")
