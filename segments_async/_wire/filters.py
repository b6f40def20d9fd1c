"""
The filters of samples: label statuses, and conditions on metadata.

``samples.list`` sends them to the service, and the readers of release files apply them; both parse them here, so that
they mean the same. Source: ``docs/service.md``, "Filters and order" and "Label statuses".
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from attrs import frozen

from segments_async._caller_errors import caller_code
from segments_async._serialization.json import simplify
from segments_async._serialization.mismatch import StructureError
from segments_async._validators import is_number
from segments_async.errors import InputError
from segments_async.models.enums import LabelStatus

_STATUSES: frozenset[str] = frozenset(status.value for status in LabelStatus)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
"""Operators on numbers; those of two characters come first, as they begin like the others."""
_CONTAINS = "|"
_EMPTY = "expected at least one value; leave it out to get all"
_PLAIN_TYPES = frozenset({str, int, float, bool, list, tuple, set, frozenset})


def upper_status(status: Any) -> Any:
    """Return a label status as the service writes it, in upper case; anything else unchanged."""
    return status.upper() if isinstance(status, str) and status.upper() in _STATUSES else status


def with_upper_status(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a label with its `label_status` in upper case."""
    status = fields.get("label_status")
    upper = upper_status(status)
    return fields if upper == status else {**fields, "label_status": upper}


@caller_code("label_status")
def parse_statuses(given: str | Iterable[str] | None) -> list[str] | None:
    """
    Return label statuses in upper case; None if none are given.

    Raises:
        InputError: One is not text, or the collection is empty, or raises an exception.
    """
    if given is None:
        return None
    if not isinstance(given, Iterable):
        raise InputError(f"expected text, or a list of texts, got {type(given).__name__}", path="label_status")
    statuses = [given] if isinstance(given, str) else list(given)
    for status in statuses:
        if not isinstance(status, str) or not status.strip():
            raise InputError(f"expected text, got {status!r}", path="label_status")
    words = [word.strip().upper() for status in statuses for word in status.split(",") if word.strip()]
    if not words:
        raise InputError(_EMPTY, path="label_status")
    return words


def check_statuses(statuses: Iterable[str], known: Iterable[str] = ()) -> None:
    """
    Check that label statuses, in upper case, are those of `LabelStatus` or others that are *known*.

    Raises:
        InputError: One is not.
    """
    allowed = {*_STATUSES, *known}
    for status in statuses:
        if status not in allowed:
            near = get_close_matches(status, allowed, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(allowed))}"
            raise InputError(f"{status!r} is not a label status; {hint}", path="label_status")


def unknown_statuses(statuses: Iterable[str]) -> frozenset[str]:
    """Return those that `LabelStatus` does not have."""
    return frozenset(statuses) - _STATUSES


@frozen
class Condition:
    """
    One condition on a key of the metadata.

    Example:
        >>> condition = parse_condition("altitude:>=100")
        >>> condition.matches({"altitude": 120.5}), condition.matches({"altitude": "120"}), condition.matches({})
        (True, False, False)
    """

    key: str
    operator: str
    """``"="``, ``">"``, ``">="``, ``"<"`` or ``"<="`` for numbers, ``"|"`` for lists, empty for text."""
    value: str
    """The value as text, as it is sent."""

    def __str__(self) -> str:
        return f"{self.key}:{self.operator}{self.value}"

    def matches(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether *metadata* satisfies it; a key that is missing does not."""
        if self.key not in metadata:
            return False
        found = metadata[self.key]
        if self.operator == _CONTAINS:
            return isinstance(found, list) and any(_as_text(item) == self.value for item in found)
        if self.operator:
            return is_number(found) and _COMPARISONS[self.operator](found, _number(self.value))
        return _as_text(found) == self.value


def parse_condition(text: Any) -> Condition:
    """
    Parse ``"key:value"``, ``"key:=3"``, ``"key:>3"``, ``"key:>=3"``, ``"key:<3"``, ``"key:<=3"`` or ``"key:|item"``.

    Raises:
        InputError: It is none of these.
    """
    if not isinstance(text, str) or ":" not in text.strip(":"):
        raise InputError(f'expected "key:value", got {text!r}', path="metadata")
    key, _, value = text.partition(":")
    if not key:
        raise InputError(f'expected "key:value", got {text!r}', path="metadata")
    return _condition(key, value, "metadata")


@caller_code("metadata")
def parse_conditions(metadata: Mapping[str, Any] | str | Iterable[str] | None) -> list[Condition]:
    """
    Parse the argument `metadata`: one condition or several as text, or a mapping of keys to values.

    A number in a mapping must be equal, and each item of a list must be contained.

    Raises:
        InputError: It contains something else, or raises an exception.
    """
    if metadata is None:
        return []
    if isinstance(metadata, Mapping):
        return [condition for key, value in metadata.items() for condition in _conditions_of(key, value)]
    if not isinstance(metadata, Iterable):
        raise InputError(f"expected text, a list of texts or a mapping, got {type(metadata).__name__}", path="metadata")
    return [parse_condition(text) for text in ([metadata] if isinstance(metadata, str) else metadata)]


def filters_parameter(conditions: Iterable[Condition]) -> str | None:
    """
    Format conditions as the query parameter ``filters``; None if there are none.

    Raises:
        InputError: One contains a comma, or its key a colon, for which the service has no syntax.
    """
    texts = []
    for condition in conditions:
        text = str(condition)
        if "," in text:
            raise InputError(f"cannot filter by a value with a comma: {text!r}", path="metadata")
        if ":" in condition.key:
            raise InputError(f"cannot filter by a key with a colon: {condition.key!r}", path="metadata")
        texts.append(text)
    return ",".join(texts) or None


def _conditions_of(key: Any, value: Any) -> list[Condition]:
    if not isinstance(key, str) or not key:
        raise InputError(f"expected text as key, got {key!r}", path="metadata")
    path = f"metadata.{key}"
    value = _plain_value(value, path)
    if isinstance(value, list | tuple | set | frozenset):
        if not value:
            raise InputError(_EMPTY, path=path)
        return [Condition(key, _CONTAINS, _item_text(item, path)) for item in value]
    if isinstance(value, bool):
        return [Condition(key, "", _as_text(value))]
    if isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"cannot filter by {value!r}", path=path)
        return [Condition(key, "=", str(value))]
    if isinstance(value, str):
        return [_condition(key, value, path)]
    raise InputError(f"expected text, a number, a bool or a list, got {type(value).__name__}", path=path)


def _condition(key: str, value: str, path: str) -> Condition:
    """Split the operator from a value that is given as text."""
    if value.startswith(_CONTAINS):
        return Condition(key, _CONTAINS, value[1:])
    for name in _COMPARISONS:
        if value.startswith(name):
            number = value.removeprefix(name).strip()
            if _number(number) is None:
                raise InputError(f"expected a number after {name!r}, got {value!r}", path=path)
            return Condition(key, name, number)
    return Condition(key, "", value)


def _item_text(item: Any, path: str) -> str:
    item = _plain_value(item, path)
    if not isinstance(item, str | int | float):
        raise InputError(f"expected a list of texts or numbers, got {type(item).__name__}", path=path)
    return _as_text(item)


def _plain_value(value: Any, path: str) -> Any:
    """Return what a scalar of another library or an enum contains; what has no form in JSON is refused later."""
    if type(value) in _PLAIN_TYPES:
        return value
    with caller_code(path):
        try:
            return simplify(value)
        except StructureError as error:
            if error.__cause__ is None:
                return value
            raise InputError(error.problem, path=path) from error.__cause__


def _number(text: str) -> int | float | None:
    """Return the number that *text* is; None if it is not a finite one."""
    for read in (int, float):
        try:
            number = read(text)
        except (ValueError, OverflowError):
            continue
        return number if isinstance(number, int) or math.isfinite(number) else None
    return None


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
