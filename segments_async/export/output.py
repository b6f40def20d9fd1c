"""Write files atomically: a file is complete or does not exist."""

from __future__ import annotations

import errno
import json
import secrets
import shutil
from contextlib import contextmanager, suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import orjson

from segments_async._transfer.file_errors import file_error
from segments_async.errors import InputError, OutOfResourcesError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_BLOCKED = frozenset(
    {
        errno.EEXIST,
        errno.EILSEQ,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
        errno.ENOTEMPTY,
    }
)
"""Errors of one path; other paths may be written."""


class UnwritableError(InputError):
    """The folder is not writable: an error of the whole export, not of a single sample."""


class BlockedPathError(InputError):
    """A file cannot be written, as its name is too long or something is in its place: an error of a single sample."""


@contextmanager
def raise_unwritable(path: Path) -> Iterator[None]:
    """Convert an OSError into an `UnwritableError` or an `OutOfResourcesError` that names the file."""
    try:
        yield
    except OSError as error:
        failure = file_error(error, "cannot be written", path, "folder")
        if not isinstance(failure, OutOfResourcesError):
            failure = UnwritableError(failure.problem, path=failure.path)
        raise failure from error


@contextmanager
def _raise_blocked(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _BLOCKED:
            raise
        raise BlockedPathError(f"cannot be written ({error.strerror}): {path}", path="folder") from error


def write_file(path: Path, content: bytes, prefix: str = "") -> None:
    """
    Write a file under a temporary name in the same folder, and rename it.

    Args:
        path: The file.
        content: What to write.
        prefix: Hexadecimal digits that the temporary name begins with.

    Raises:
        BlockedPathError: The name is too long, or something is in its place; the temporary file is deleted.
        UnwritableError: It cannot be written; the temporary file is deleted.
        OutOfResourcesError: The disk is full, or this machine has too many open files; likewise.
    """
    temporary = temporary_path(path, prefix)
    with raise_unwritable(path), _raise_blocked(path):
        try:
            try:
                temporary.write_bytes(content)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(content)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def temporary_path(path: Path, prefix: str = "") -> Path:
    """Return a hidden name of 16 hexadecimal digits in the same folder."""
    return path.with_name(f".{prefix}{secrets.token_hex(8)[len(prefix) :]}.part")


def encode_entry(entry: Mapping[str, Any]) -> bytes:
    """Write JSON, also with integers of any size and lone surrogates, which orjson refuses."""
    try:
        return orjson.dumps(entry)
    except TypeError:
        return json.dumps(entry, allow_nan=False, separators=(",", ":")).encode("ascii")


class JsonLists:
    """
    Write a JSON object that ends with two long lists, without holding the lists in memory.

    Args:
        path: The file to write.
        head: The keys before the lists.
        names: The names of the two lists.
        numbered: Whether entries of the second list get an ``id``, from 1.
        prefix: As for `write_file`.

    Call the methods in worker threads, one at a time. The lock is needed as a cancelled call's thread may still run.
    """

    def __init__(
        self, path: Path, head: Mapping[str, Any], names: tuple[str, str], *, numbered: bool, prefix: str = ""
    ) -> None:
        self.path = path
        self._numbered = numbered
        self._temporaries = temporary_path(path, prefix), temporary_path(path, prefix)
        self._names = names
        self._head = head
        self._counts = [0, 0]
        self._files: list[IO[bytes]] = []
        self._lock = Lock()
        self._discarded = False

    def start(self) -> None:
        """Open the files."""
        with self._lock, raise_unwritable(self.path):
            if self._discarded:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._files = [temporary.open("w+b") for temporary in self._temporaries]
            head = encode_entry(dict(self._head))
            self._files[0].write(head[:-1] + (b"," if self._head else b"") + _list_start(self._names[0]))

    def add(self, first: Sequence[bytes], second: Sequence[bytes]) -> None:
        """Append objects, as JSON text, to both lists."""
        with self._lock, raise_unwritable(self.path):
            if self._discarded:
                return
            if self._numbered:
                next_id = self._counts[1] + 1
                second = [b'{"id":%d,%s' % (number, entry[1:]) for number, entry in enumerate(second, next_id)]
            for index, entries in enumerate((first, second)):
                if entries:
                    text = b",".join(entries)
                    self._files[index].write(b"," + text if self._counts[index] else text)
                    self._counts[index] += len(entries)

    def finish(self) -> None:
        """Join the lists, and rename the temporary file to its path."""
        with self._lock, raise_unwritable(self.path):
            if self._discarded:
                return
            output, second = self._files
            output.write(b"]," + _list_start(self._names[1]))
            second.seek(0)
            shutil.copyfileobj(second, output, 1024 * 1024)
            output.write(b"]}")
            output.close()
            self._temporaries[0].replace(self.path)

    def discard(self) -> None:
        """Close and delete the temporary files; a finished file is kept."""
        with self._lock:
            self._discarded = True
            for file in self._files:
                with suppress(OSError):
                    file.close()
            for temporary in self._temporaries:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)


def _list_start(name: str) -> bytes:
    return orjson.dumps(name) + b":["
