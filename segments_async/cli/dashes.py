"""
Words that begin with a dash but cannot be options, such as ``-`` or ``-5 deg``.

cyclopts takes each of them for an option, so they are marked before it sees them, and the mark is removed from what it
has parsed.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from cyclopts import MissingArgumentError, UnknownOptionError

if TYPE_CHECKING:
    from cyclopts import CycloptsError

MARK = "\0"
"""No argument of a process can contain it."""
_OPTION = re.compile(r"--?[^\W\d_][^\s=]*(=.*)?|--", re.DOTALL)
_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def mark(word: str) -> str:
    """
    Mark a word that begins with a dash but is neither an option nor a number.

    Example:
        >>> [mark(word) == word for word in ["-5 deg", "-", "-5", "--json", "--name=a b"]]
        [False, False, True, True, True]
    """
    known = not word.startswith("-") or _OPTION.fullmatch(word) or _NUMBER.fullmatch(word)
    return word if known else MARK + word


def unmark(value: Any) -> Any:
    """Remove the marks from a parsed argument."""
    match value:
        case str():
            return value.replace(MARK, "")
        case Path():
            return Path(unmark(str(value)))
        case list() | tuple():
            return type(value)(map(unmark, value))
        case dict():
            return {key: unmark(item) for key, item in value.items()}
    if attrs.has(type(value)):
        return attrs.evolve(value, **unmark(attrs.asdict(value, recurse=False)))
    return value


def hint_about(error: CycloptsError, words: list[str]) -> str:
    """Say how to write a value that was taken for an option; empty if there is none."""
    if isinstance(error, MissingArgumentError) and error.keyword in words[:-1]:
        value = words[words.index(error.keyword) + 1]
        return f"if {value} is the value, write {shlex.quote(f'{error.keyword}={value}')}"
    if isinstance(error, UnknownOptionError) and not (error.token.keyword or error.token.value).startswith("--"):
        return "write -- before words that begin with a dash but are no options"
    return ""
