"""Validators for attrs fields of settings: they raise `InputError` with the field's name as its path."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from segments_async.errors import InputError

if TYPE_CHECKING:
    from attrs import Attribute

Validator = Callable[[Any, "Attribute[Any]", Any], None]


def is_number(value: object) -> TypeGuard[float]:
    """Whether *value* is an int or a float; True and False are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object) -> TypeGuard[int]:
    """Whether *value* is an int; True and False are not numbers here."""
    return isinstance(value, int) and not isinstance(value, bool)


def number(minimum: float) -> Validator:
    """Make a validator for a number of at least *minimum*."""

    def check(_: Any, attribute: Attribute[Any], value: Any) -> None:
        if not is_number(value) or math.isnan(value) or value < minimum:
            raise InputError(f"expected a number of at least {minimum:g}, got {value!r}", path=attribute.name)

    return check


def count(minimum: int = 1) -> Validator:
    """Make a validator for a whole number of at least *minimum*."""

    def check(_: Any, attribute: Attribute[Any], value: Any) -> None:
        if not is_count(value) or value < minimum:
            raise InputError(f"expected a whole number of at least {minimum}, got {value!r}", path=attribute.name)

    return check


def integer(_: Any, attribute: Attribute[Any], value: Any) -> None:
    """Refuse what is not a whole number."""
    if not is_count(value):
        raise InputError(f"expected a whole number, got {value!r}", path=attribute.name)


def one_of(*words: str) -> Validator:
    """Make a validator for one of *words*."""

    def check(_: Any, attribute: Attribute[Any], value: Any) -> None:
        if value not in words:
            raise InputError(f"expected one of {', '.join(map(repr, words))}, got {value!r}", path=attribute.name)

    return check


def seconds(_: Any, attribute: Attribute[Any], value: Any) -> None:
    """Refuse what is not a number of seconds above 0."""
    if not is_number(value) or not value > 0:
        raise InputError(f"expected seconds above 0, got {value!r}", path=attribute.name)


def flag(_: Any, attribute: Attribute[Any], value: Any) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise InputError(f"expected True or False, got {value!r}", path=attribute.name)


def callback(_: Any, attribute: Attribute[Any], value: Any) -> None:
    """Refuse what cannot be called, and async functions, which would never be awaited."""
    if not callable(value) or iscoroutinefunction(value):
        raise InputError(f"expected a function that is not async, got {value!r}", path=attribute.name)


def file_path(_: Any, attribute: Attribute[Any], value: Any) -> None:
    """Refuse what is not the path of a file."""
    try:
        text: object = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    except Exception as error:
        raise InputError(f"expected the path of a file, got {type(value).__name__}", path=attribute.name) from error
    if not isinstance(text, str) or not text:
        raise InputError(f"expected the path of a file, got {value!r}", path=attribute.name)


def as_path(value: object, argument: str = "path") -> Path:
    """
    Convert an argument to a path; a leading ``~`` is the home directory.

    Raises:
        InputError: It is not a path.
    """
    try:
        if isinstance(value, str | os.PathLike):
            return Path(os.path.expanduser(value))  # noqa: PTH111 (a name that is not of a user stays)
    except Exception as error:  # raised by the caller's own __fspath__
        raise InputError(f"expected a path, got {type(value).__name__}", path=argument) from error
    raise InputError(f"expected a path, got {type(value).__name__}", path=argument)
