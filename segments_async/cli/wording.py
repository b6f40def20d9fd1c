"""The library's words about Python's arguments, as words about the options of a command."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_GIVEN = re.compile(r"""(?<![^\s(])([a-z_]{2,})=(True\b|False\b|"[^"]*"|'[^']*'|[\d.]*\d)?(?=[\s,;:.)]|$)""")
"""An argument as it is passed, such as ``lossy=True`` or ``images=``."""
_CALLS = {
    "wait for it with releases.wait()": "`segments-async releases create DATASET NAME --exist-ok --wait` waits for it"
}
"""What messages say about calls, and the commands that do the same."""
_QUOTED = re.compile(r"(?<=\bas )'([a-z_]{2,})'")
_PLACE = re.compile(r"^([a-z_]{2,})(?=(?:\[\d+\])?: )")
"""What the message of an `InputError` begins with."""


def options_of(command: Callable[..., Any]) -> frozenset[str]:
    """Return the names of the options of *command*, as they are typed."""
    names: list[str] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if attrs.has(type(parameter.default)):  # the options of bulk commands
            names += [field.name for field in attrs.fields(type(parameter.default))]
        elif parameter.kind is parameter.KEYWORD_ONLY and name != "context":
            names.append(name)
    return frozenset(map(_option, names))


def with_options(text: str, options: Collection[str]) -> str:
    """
    Return a message of the library with *options* in place of the arguments of Python, and commands in place of calls.

    Example:
        >>> with_options("not in the folder; pass images=, or lossy=True", {"--images", "--lossy"})
        'not in the folder; pass --images, or --lossy'
    """

    def of_given(found: re.Match[str]) -> str:
        name, value = _option(found[1]), (found[2] or "").strip("\"'")
        if value == "False":
            name, value = f"--no-{name.removeprefix('--')}", ""
        words = name if value in {"", "True"} else f"{name} {value}"
        return words if name in options else found[0]

    def of_name(found: re.Match[str]) -> str:
        name = _option(found[1])
        return name if name in options else found[0]

    for call, command in _CALLS.items():
        text = text.replace(call, command)
    return _GIVEN.sub(of_given, _QUOTED.sub(of_name, text))


def with_place(text: str, options: Collection[str]) -> str:
    """
    Return a message that begins with the argument it is about, with the option in its place.

    Example:
        >>> with_place("task_type: expected text", {"--task-type"})
        '--task-type: expected text'
    """
    found = _PLACE.match(text)
    return f"{_option(found[1])}{text[found.end() :]}" if found and _option(found[1]) in options else text


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
