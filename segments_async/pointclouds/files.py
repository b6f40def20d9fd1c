"""Open the files that are read, and write files that are complete or do not exist."""

from __future__ import annotations

import io
import os
import secrets
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from segments_async._validators import as_path
from segments_async.errors import DecodeError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Source = bytes | str | os.PathLike[str]
"""A file's bytes, or its path."""
EXCERPT_BYTES = 40


@contextmanager
def open_source(source: Source) -> Iterator[IO[bytes]]:
    """
    Open a file or bytes for reading; a `DecodeError` of the block gets the file's path.

    Raises:
        OSError: The path cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        with io.BytesIO(source) as memory:
            yield memory
        return
    path = as_path(source, "source")
    with path.open("rb") as file, naming(path):
        yield file


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the path of the file to a `DecodeError` of the block."""
    try:
        yield
    except DecodeError as error:
        if error.path:
            raise
        raise DecodeError(error.problem, path=str(path)) from error.__cause__


def bytes_left(file: IO[bytes]) -> int:
    """Return the number of bytes from the current position to the end."""
    position = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(position)
    return end - position


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """
    Open a temporary file beside *path*, which replaces *path* if the block succeeds, and is deleted otherwise.

    Raises:
        OSError: It cannot be written.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with temporary.open("w+b") as file:
            yield file
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def target_path(target: str | os.PathLike[str] | None, source: Path, suffix: str) -> Path:
    """
    Return the path to write to: *target*, or the path of the source with another suffix.

    Raises:
        InputError: It is the source itself, or not a path.
    """
    path = source.with_suffix(suffix) if target is None else as_path(target, "output_path")
    if path == source or (path.exists() and source.exists() and path.samefile(source)):
        raise InputError("is the file that is read", path="output_path")
    return path


def excerpt(content: bytes) -> str:
    """Describe a file by its beginning."""
    return f"it begins with {content[:EXCERPT_BYTES]!r}" if content else "it is empty"
