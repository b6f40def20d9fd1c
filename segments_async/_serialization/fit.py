"""
Check that JSON fits a model, without making any object.

An answer that fits can be structured later: that cannot fail then. A check may refuse what a reader would accept, such
as a value that is kept as plain JSON, which is then structured at once; it must not accept what a reader would refuse.
"""

from __future__ import annotations

from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from segments_async._serialization.compile import (
    ByType,
    Check,
    FieldCheck,
    arms_of,
    compile_check,
    fields_of,
    is_union,
    key_of,
)
from segments_async._serialization.kinds import (
    atoms_of,
    chooser_by_shape,
    contains_only,
    is_list,
    is_model,
    is_object,
    is_plain,
    is_tagged,
    json_types_of,
)
from segments_async.models._base import CHOOSE, Choose, Model, is_required

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from attrs import Attribute

_NULL = frozenset({NoneType})


def fits(value: Any, model: Any) -> bool:
    """
    Return whether plain JSON is certain to be structured as *model*.

    Example:
        >>> fits({"uuid": "u-1", "name": "a.png"}, Sample), fits({"uuid": "u-1", "name": 7}, Sample)
        (True, False)

    Args:
        value: Decoded JSON.
        model: A model class, or a type that contains models.
    """
    try:
        return _CHECKS[model](value, None)
    except Exception:  # noqa: BLE001 (nested too deeply, or raised by a value of the caller; its reader says so)
        return False


def _check_of(kind: Any) -> Check:
    if kind is Any:
        return lambda _value, _parent: True
    if _needs_type_only(kind):
        types = json_types_of(kind)
        return lambda value, _: type(value) in types
    make = next((make for is_of_kind, make in _MAKERS if is_of_kind(kind)), None)
    return (lambda _value, _parent: False) if make is None else make(kind)


def _check_of_model(model: type[Model]) -> Check:
    return compile_check(model, [_check_of_field(attribute) for attribute in fields_of(model)])


def _check_of_field(attribute: Attribute[Any]) -> FieldCheck:
    choose = attribute.metadata.get(CHOOSE)
    kind = attribute.type
    required = is_required(attribute)
    if choose is None and _needs_type_only(kind):
        passes = json_types_of(kind) | (frozenset() if required else _NULL)
        return FieldCheck(key=key_of(attribute), required=required, passes=passes)
    check = _CHECKS[kind] if choose is None else _check_of_chosen(kind, choose)
    return FieldCheck(key=key_of(attribute), required=required, check=check)


def _check_of_chosen(kind: Any, choose: Choose) -> Check:
    plain = _check_of_arms(arm for arm in arms_of(kind) if not is_model(arm))

    def check(value: Any, parent: Any) -> bool:
        model = None if value is None else choose(parent, value)
        return plain(value, parent) if model is None else _CHECKS[model](value, parent)

    return check


def _check_of_list(kind: Any) -> Check:
    (item_kind,) = get_args(kind)
    atoms, depth = atoms_of(item_kind)
    if atoms:
        return lambda value, _: type(value) is list and contains_only(atoms, value, depth)

    def check(value: Any, parent: Any) -> bool:
        if type(value) is not list:
            return False
        check_item = _CHECKS[item_kind]  # not before, because models may contain lists of themselves
        return all(check_item(item, parent) for item in value)

    return check


def _check_of_object(kind: Any) -> Check:
    check_item = _CHECKS[get_args(kind)[1]]
    return lambda value, parent: type(value) is dict and all(check_item(item, parent) for item in value.values())


def _check_of_tagged(kind: Any) -> Check:
    _, tagged = get_args(kind)

    def check(value: Any, parent: Any) -> bool:
        if type(value) is not dict:
            return False
        tag = value.get(tagged.key)
        model = tagged.classes.get(tag) if type(tag) is str else None
        return model is None or _CHECKS[model](value, parent)

    return check


def _check_of_union(kind: Any) -> Check:
    if sum(map(is_model, arms_of(kind))) > 1:
        return _check_of_chosen(kind, chooser_by_shape(kind))
    return _check_of_arms(arms_of(kind))


def _check_of_arms(arms: Iterable[Any]) -> Check:
    """Check a value by the member that has its JSON type; of members with the same one, none is known to be right."""
    by_type: dict[type, list[Any]] = {}
    for arm in arms:
        for json_type in json_types_of(arm):
            by_type.setdefault(json_type, []).append(arm)
    checks = {json_type: _CHECKS[found[0]] for json_type, found in by_type.items() if _is_same(found)}

    def check(value: Any, parent: Any) -> bool:
        check_value = checks.get(type(value))
        return check_value is not None and check_value(value, parent)

    return check


def _is_same(arms: list[Any]) -> bool:
    """Whether it does not matter which member is taken."""
    return len(arms) == 1 or all(map(_needs_type_only, arms))


def _needs_type_only(kind: Any) -> bool:
    """Whether all values of the right type fit; any text is a time, or stays text."""
    return all(arm is datetime or is_plain(arm) for arm in arms_of(kind))


_MAKERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Check]], ...] = (
    (is_model, _check_of_model),
    (is_list, _check_of_list),
    (is_object, _check_of_object),
    (is_tagged, _check_of_tagged),
    (is_union, _check_of_union),
)
_CHECKS: dict[Any, Check] = ByType(_check_of)
