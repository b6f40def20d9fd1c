"""Check the arguments that a test passes to the sandbox; one that can never apply raises a ValueError that names it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Collection


def is_whole(value: object) -> TypeGuard[int]:
    """Whether *value* is an int; True and False are not numbers here."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Whether *value* is a finite number; True and False are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Check that *value* is one of *choices*."""
    if not any(value is one or (value == one and type(value) is type(one)) for one in choices):
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}.")


def check_count(name: str, value: object, of: str, *, least: int = 0, optional: bool = False) -> None:
    """Check a number of *of*, such as ``"requests"``; None if *optional*, for all."""
    if value is None and optional:
        return
    if not is_whole(value) or value < least:
        words = " or None for all" if optional else ""
        raise ValueError(f"{name}: expected a number of {of} from {least}{words}, got {value!r}.")


def check_seconds(name: str, value: object) -> None:
    """Check a duration."""
    if not is_number(value) or value < 0:
        raise ValueError(f"{name}: expected seconds from 0, got {value!r}.")


def check_rate(name: str, value: object) -> None:
    """Check bytes per second; None for no limit."""
    if value is not None and (not is_number(value) or value <= 0):
        raise ValueError(f"{name}: expected bytes per second above 0 or None, got {value!r}.")


def check_name(name: str, value: object) -> None:
    """Check the name of a user or an organization."""
    if not isinstance(value, str) or not value or "/" in value or value != value.strip():
        raise ValueError(f"{name}: expected a name such as 'jane', got {value!r}.")


def check_names(name: str, value: object) -> tuple[str, ...]:
    """Check a collection of names, which a single string is not, and return it."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ValueError(f"{name}: expected a list of names, got {value!r}.")  # noqa: TRY004
    names = tuple(value)
    for one in names:
        check_name(name, one)
    return names


def check_key(name: str, value: object) -> None:
    """Check an API key; the error does not show it."""
    if (
        not isinstance(value, str)
        or not value
        or value != value.strip()
        or not (value.isascii() and value.isprintable())
    ):
        raise ValueError(f"{name}: expected a key of printable ASCII characters, such as 'sandbox-key'.")


def check_dataset(name: str, value: object) -> None:
    """Check the name of a dataset; None for none."""
    parts = value.split("/") if isinstance(value, str) else []
    if value is not None and (len(parts) != 2 or not all(parts)):  # noqa: PLR2004
        raise ValueError(f"{name}: expected 'owner/name' or None, got {value!r}.")


def check_callable(name: str, value: object, returns: str) -> None:
    """Check a function."""
    if not callable(value):
        raise ValueError(f"{name}: expected a function that returns {returns}, got {value!r}.")  # noqa: TRY004


def check_headers(name: str, value: object) -> dict[str, str]:
    """Check the headers of a response; return them."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}: expected a mapping of names to values, got {value!r}.")  # noqa: TRY004
    for key, content in value.items():
        for text in (key, content):
            if not isinstance(text, str) or not text.isprintable() or not _is_latin(text):
                raise ValueError(f"{name}: expected strings of Latin-1 without line breaks, got {key!r}: {content!r}.")
        if not key or any(character in key for character in ' :"'):
            raise ValueError(f"{name}: expected names such as 'Retry-After', got {key!r}.")
    return dict(value)


def _is_latin(text: str) -> bool:
    return all(ord(character) < 256 for character in text)  # noqa: PLR2004
