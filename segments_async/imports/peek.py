"""Inspect a file or a folder until its format is known."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from attrs import define, field

from segments_async._releases.text import JsonText
from segments_async._transfer.file_errors import file_error
from segments_async.errors import InputError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_NAMES = 10_000
"""Maximum names of a folder to inspect."""
_MAX_DEPTH = 2
_START_BYTES = 4096
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")
_ARCHIVE_BYTES = 4
_SUFFIXES = frozenset({".json", ".xml", ".yaml", ".yml"})
_MAX_LISTED = 3
_JSON_STARTS = frozenset("{[")


@define
class Peek:
    """What is known about a file or a folder so far."""

    path: Path
    is_folder: bool = False
    names: list[str] = field(factory=list)
    """The names in a folder, sorted; at most `MAX_NAMES`."""
    start: str = ""
    """The first characters of a file."""
    json: dict[str, Any] = field(factory=dict)
    """
    Of a JSON object, by key: the first element of a list (None if it is empty), or the value of anything else.

    The keys of an object in an object are ``outer.inner``. Of a JSON list, the first element has the key ``[]``.
    """
    xml_root: str | None = None
    """The tag of the root of an XML file."""


def peek(path: Path) -> Iterator[Peek]:
    """
    Yield what is known about a path so far: for a JSON file, after each key.

    Raises:
        InputError: There is no such file or folder.
        DecodeError: A JSON file is damaged.
    """
    with readable(path):
        seen = Peek(path, is_folder=path.is_dir())
        if seen.is_folder:
            with os.scandir(path) as entries:
                seen.names = sorted(entry.name for entry in islice(entries, MAX_NAMES))
            yield seen
            return
        with path.open("rb") as file:
            seen.start = file.read(_START_BYTES).decode("utf-8-sig", "replace").lstrip()
    if seen.start[:1] == "<":
        seen.xml_root = _xml_root(path)
    yield seen
    if seen.start[:1] in _JSON_STARTS:
        with readable(path), path.open("rb") as file:
            for key, value in _skim(import_text(file, path)):
                seen.json[key] = value
                yield seen


def import_text(file: Any, path: Path) -> JsonText:
    """Return the JSON of a file to import, parsed value by value."""
    return JsonText(file, path.name, kind="a file of annotations", remedy="")


def refuse_archive(path: Path) -> None:
    """
    Refuse what tools download as one file.

    Raises:
        InputError: It is a ZIP, gzip or other archive.
    """
    start = b""
    with suppress(OSError, ValueError):  # what cannot be read is reported where it is read
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(_ARCHIVE_BYTES)
    if start.startswith(_ARCHIVES):
        raise InputError(
            f"is an archive; unpack it, and pass the file or folder of annotations in it: {path}", path="path"
        )


def hint_of_folder(path: Path) -> str:
    """Return which files in a folder may have been meant, for an error; empty if there are none."""
    if not path.is_dir():
        return ""
    found = sorted(one.name for one in path.iterdir() if one.suffix.lower() in _SUFFIXES and not one.is_dir())
    if not found:
        return ""
    more = f" and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
    return f"; if a file in this folder is meant ({', '.join(found[:_MAX_LISTED])}{more}), pass its path"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Convert an OSError, or whatever else a path provokes, into an error that names the path."""
    try:
        yield
    except SegmentsError:
        raise
    except (OSError, ValueError) as error:  # a null character in the path raises ValueError
        raise file_error(error, "cannot be read", path, "path") from error


def _skim(text: JsonText) -> Iterator[tuple[str, Any]]:
    if text.peek() == "[":
        yield from _skim_list(text, "[]")
    else:
        yield from _skim_object(text, "", 1)


def _skim_object(text: JsonText, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name in text.members():
        key = f"{prefix}{name}"
        kind = text.peek()
        if kind == "[":
            yield from _skim_list(text, key)
        elif kind == "{" and depth < _MAX_DEPTH:
            yield key, {}
            yield from _skim_object(text, f"{key}.", depth + 1)
        else:
            yield key, text.value()


def _skim_list(text: JsonText, key: str) -> Iterator[tuple[str, Any]]:
    elements = text.items(key)
    yield key, next(elements, None)
    for _ in elements:
        pass


def _xml_root(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            for _, element in ET.iterparse(file, ("start",)):  # noqa: S314 (expat 2.4.1 limits entities)
                return str(element.tag).rpartition("}")[2]
    except ET.ParseError as error:
        raise InputError(f"is not XML ({error}): {path}", path="path") from error
    return None
