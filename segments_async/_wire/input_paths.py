"""Locations in arguments: the text of an `InputError` as keys and indices."""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


def steps_of(path: str, value: Any) -> list[str | int]:
    """
    Return the keys and indices of a location in *value*, outermost first.

    Keys may contain dots and brackets, so those that *value* has come first.

    Example:
        >>> steps_of("attributes.my.key[2]", {"attributes": {"my.key": [1, 2, 3]}})
        ['attributes', 'my.key', 2]

    Args:
        path: The `path` of an `InputError`.
        value: The JSON that it is about.
    """
    steps: list[str | int] = []
    while path:
        step, path = _key_of(path, value) or _next_step(path)
        value = _inside(value, step)
        steps.append(step)
    return steps


def _key_of(path: str, value: Any) -> tuple[str, str] | None:
    """Split off the longest key of *value* that *path* begins with."""
    text = path.removeprefix(".")
    keys = sorted((key for key in value if text.startswith(key)), key=len) if isinstance(value, dict) else []
    ends = [key for key in keys if key and text[len(key) : len(key) + 1] in ("", ".", "[")]
    return (ends[-1], text[len(ends[-1]) :]) if ends else None


def _next_step(path: str) -> tuple[str | int, str]:
    found = _STEP.match(path)
    if found is None:
        return path, ""
    return int(found[1]) if found[1] else found[2], path[found.end() :]


def _inside(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None
