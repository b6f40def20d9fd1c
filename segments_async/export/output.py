"""Files that are whole or not there."""

from __future__ import annotations

import secrets
import shutil
from contextlib import contextmanager, suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import orjson

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class UnwritableError(InputError):
    """The disk is full, or the folder is not ours: no business of the sample that met it."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file that could not be written."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"cannot be written ({error.strerror or error}): {path}", path="folder") from error


def write_file(path: Path, content: bytes) -> None:
    """
    Write a file under a temporary name beside it, and rename it.

    Raises:
        UnwritableError: It cannot be written; nothing is left behind.
    """
    temporary = _beside(path)
    with writing(path):
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


def _beside(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(8)}.part")


class JsonLists:
    """
    A JSON object of a head and two long lists, which are written as they come: neither is ever in memory.

    Args:
        path: Where it goes.
        head: What stands before the lists.
        first: The name of the first list.
        second: The name of the second list.
        numbered: Whether entries of the second get an ``id``, from 1.

    Its steps run in worker threads, one after the other; the lock is for a thread that a cancellation left behind.
    """

    def __init__(self, path: Path, head: Mapping[str, Any], first: str, second: str, *, numbered: bool) -> None:
        self.path = path
        self._numbered = numbered
        self._temporaries = _beside(path), _beside(path)
        self._names = first, second
        self._head = head
        self._counts = [0, 0]
        self._files: list[IO[bytes]] = []
        self._lock = Lock()
        self._left = False

    def start(self) -> None:
        """Open the files."""
        with self._lock, writing(self.path):
            if self._left:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._files = [temporary.open("w+b") for temporary in self._temporaries]
            head = orjson.dumps(dict(self._head))
            self._files[0].write(head[:-1] + (b"," if self._head else b"") + _opening(self._names[0]))

    def add(self, first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
        """Append to both lists."""
        with self._lock, writing(self.path):
            if self._left:
                return
            if self._numbered:
                following = self._counts[1] + 1
                second = [{"id": number, **entry} for number, entry in enumerate(second, following)]
            for index, entries in enumerate((first, second)):
                if entries:
                    text = orjson.dumps(entries)[1:-1]
                    self._files[index].write(b"," + text if self._counts[index] else text)
                    self._counts[index] += len(entries)

    def finish(self) -> None:
        """Put the file where it belongs."""
        with self._lock, writing(self.path):
            if self._left:
                return
            whole, second = self._files
            whole.write(b"]," + _opening(self._names[1]))
            second.seek(0)
            shutil.copyfileobj(second, whole, 1024 * 1024)
            whole.write(b"]}")
            whole.close()
            self._temporaries[0].replace(self.path)

    def discard(self) -> None:
        """Leave nothing behind but what is finished."""
        with self._lock:
            self._left = True
            for file in self._files:
                with suppress(OSError):
                    file.close()
            for temporary in self._temporaries:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)


def _opening(name: str) -> bytes:
    return orjson.dumps(name) + b":["
