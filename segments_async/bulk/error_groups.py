"""Group failures by what went wrong: texts that differ only in which item they name are equal."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from segments_async.errors import (
    ApiError,
    DecodeError,
    InputError,
    OutOfResourcesError,
    SegmentsError,
    TransportError,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST = r"(?:\d{1,3}\.){3}\d{1,3}|localhost|\[[0-9a-fA-F:.]+\]|[\w-]+(?:\.[\w-]+)+"
_DETAILS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>()]+", "<url>"),
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
        # Whether a lost connection ends with a reset or not depends on the moment.
        (r"^(the connection was lost) \(.*\)$", r"\1"),
        # The file of a message of this package, and any other absolute path.
        (r"(cannot be (?:read|written|used) \([^)]*\)): .+?(?=; |$)", r"\1"),
        (r"^(is not a file|is empty|is larger than [^:]+|was changed during the upload): .+$", r"\1"),
        (r"(?<![\w/<])(?:[A-Za-z]:)?[/\\][^\s'\":;,()<>]+", "<path>"),
        (r"\b0x[0-9a-fA-F]+\b", "<address>"),
        (r"(?<=cancel scope )[0-9a-fA-F]+\b", "<address>"),
        (rf"({_HOST}):\d{{1,5}}\b", r"\1:<port>"),
        (r"(\('[0-9a-fA-F.:%\w]+', )\d{1,5}\b", r"\1<port>"),
        (r"\[\d+\]", "[<index>]"),
        (r"\b\d+ of \d+ bytes\b", "<n> of <n> bytes"),
        (r"\b\d+(?:\.\d+)?(?:e[+-]?\d+)?(?= ?(?:s|ms|seconds?|minutes?)\b)", "<n>"),
    )
)
_number = re.compile(r"(?<!Errno )(?<!\w)\d+(?:\.\d+)?(?!\w)")
_identifying = re.compile(r"[\d./\\_-]").search
_MIN_UNQUOTED = 3
"""Minimum length of a name that is replaced where it is not in quotes; a shorter one may be part of the text."""


def group_of(error: SegmentsError, key: str | None, uuid: str | None, item: Any) -> str:
    """
    Return the class and the message of an error, without what belongs to the item or the connection.

    That is its location, name, uuid, URL, file, object addresses and ports, so that equal failures give equal texts.

    Args:
        error: The error of an item.
        key: The name of the item.
        uuid: The uuid of its sample.
        item: The item itself, which may be the path of a file.
    """
    message = _message_of(error)
    for name in sorted(_names_of(key, uuid, item), key=len, reverse=True):
        message = _without_name(message, name)
    for pattern, replacement in _DETAILS:
        message = pattern.sub(replacement, message)
    if error.__cause__ is not None and not isinstance(error.__cause__, SegmentsError):
        message = _number.sub("<n>", message)  # in the message of an exception of the caller, such as a row
    return f"{type(error).__name__}: {message}"


def words_of(error: SegmentsError) -> str:
    """Return the class, the message and the first note of an error, without the call, in one line."""
    notes = [f" ({note})" for note in getattr(error, "__notes__", ())]
    return printable(f"{type(error).__name__}: {_message_of(error)}{''.join(notes[:1])}")


def _message_of(error: SegmentsError) -> str:
    match error:
        case ApiError():
            return error.detail
        case InputError() | DecodeError() | OutOfResourcesError():
            return error.problem
        case TransportError():
            return str(error).removesuffix(f" on {error.method} {error.url}")
        case _:
            return str(error)


def _names_of(key: str | None, uuid: str | None, item: Any) -> Iterator[str]:
    """Yield the texts that identify an item: its name, its uuid, and its file."""
    yield from filter(None, (key, uuid))
    if isinstance(item, PurePath):
        item = str(item)
    if type(item) is str and item:
        yield item
        if file := PurePath(item).name:
            yield file


def _without_name(message: str, name: str) -> str:
    if name not in message:
        return message
    text = re.escape(name)
    message = re.sub(rf"'{text}'|\"{text}\"", "<name>", message)
    if len(name) >= _MIN_UNQUOTED and _identifying(name):
        message = re.sub(rf"(?<![\w.-]){text}(?![\w-])", "<name>", message)
    return message
