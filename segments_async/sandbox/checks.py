"""
Validation of request bodies, with the service's error messages.

A check takes a value and returns the errors that Django REST Framework reports for it, or None if it is valid. Fields
without a check are stored unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async.sandbox.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Check = Callable[[Any], object]

REQUIRED = ["This field is required."]
NULL = ["This field may not be null."]
BLANK = ["This field may not be blank."]


def problems(body: Any, checks: Mapping[str, Check], required: Collection[str] = ()) -> dict[str, Any]:
    """Return the errors of *body* by field; empty if it is valid."""
    if not isinstance(body, dict):
        kind = type(body).__name__
        return {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]}
    missing: dict[str, Any] = {name: REQUIRED for name in required if name not in body}
    found = {name: check(body[name]) for name, check in checks.items() if name in body}
    return missing | {name: problem for name, problem in found.items() if problem is not None}


def validate(body: Any, checks: Mapping[str, Check], required: Collection[str] = ()) -> None:
    """Reject *body* with status 400 if it is not valid."""
    if found := problems(body, checks, required):
        raise RefusedError(400, found)


def text(value: Any) -> object:
    """Check a string that may be empty."""
    if value is None:
        return NULL
    return None if isinstance(value, str) else ["Not a valid string."]


def nonblank(value: Any) -> object:
    """Check a string that may not be empty."""
    return BLANK if isinstance(value, str) and not value.strip() else text(value)


def number(value: Any) -> object:
    """Check an integer or a float."""
    if value is None:
        return NULL
    valid = isinstance(value, int | float) and not isinstance(value, bool)
    return None if valid else ["A valid number is required."]


def integer(value: Any) -> object:
    """Check an integer."""
    if value is None:
        return NULL
    valid = isinstance(value, int) and not isinstance(value, bool)
    return None if valid else ["A valid integer is required."]


def boolean(value: Any) -> object:
    """Check true or false."""
    if value is None:
        return NULL
    return None if isinstance(value, bool) else ["Must be a valid boolean."]


def mapping(value: Any) -> object:
    """Check a JSON object with any content."""
    if value is None:
        return NULL
    if isinstance(value, dict):
        return None
    return [f'Expected a dictionary of items but got type "{type(value).__name__}".']


def strings(value: Any) -> object:
    """Check a list of strings."""
    if not isinstance(value, list):
        return [f'Expected a list of items but got type "{type(value).__name__}".']
    found = {str(index): problem for index, item in enumerate(value) if (problem := text(item)) is not None}
    return found or None


def choice(options: Collection[str], prefix: str | None = None) -> Check:
    """Return a check for one of *options*, or any string that starts with *prefix*."""

    def check(value: Any) -> object:
        if value is None:
            return NULL
        known = isinstance(value, str) and (value in options or (prefix is not None and value.startswith(prefix)))
        return None if known else [f'"{value}" is not a valid choice.']

    return check


def in_any_case(check: Check) -> Check:
    """Return a check that applies *check* to a string in upper case."""
    return lambda value: check(value.upper()) if isinstance(value, str) else check(value)


def nullable(check: Check) -> Check:
    """Return a check that allows null and applies *check* to any other value."""
    return lambda value: None if value is None else check(value)


def sample_attributes(value: Any) -> object:
    """Check sample attributes: an image, a point cloud, a sequence of either, or multiple sensors."""
    if (wrong := mapping(value)) is not None:
        return wrong
    for key, check in _KINDS.items():
        if key in value:
            problem = check(value[key])
            return None if problem is None else {key: problem}
    return {"non_field_errors": [f"Expected one of the keys {', '.join(_KINDS)}."]}


def _file(value: Any) -> object:
    return problems(value, {"url": nonblank}, ["url"]) or None


def _frame(value: Any) -> object:
    key = "pcd" if isinstance(value, dict) and "pcd" in value else "image"
    return problems(value, {key: _file}, [key]) or None


def _sensor(value: Any) -> object:
    required = ["name", "task_type", "attributes"]
    return problems(value, {"name": nonblank, "task_type": text, "attributes": sample_attributes}, required) or None


def _each(check: Check) -> Check:
    def check_all(value: Any) -> object:
        if not isinstance(value, list):
            return [f'Expected a list of items but got type "{type(value).__name__}".']
        found = [check(item) or {} for item in value]
        return found if any(found) else None

    return check_all


_KINDS: Mapping[str, Check] = {
    "image": _file,
    "pcd": _file,
    "frames": _each(_frame),
    "sensors": _each(_sensor),
}
