"""Receive a download: into a temporary file that replaces the target when it is complete, or into memory."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import partial
from io import FileIO
from threading import Lock
from typing import IO, TYPE_CHECKING, Protocol

import anyio
from attrs import frozen

from segments_async._counting import counted
from segments_async._threads import run_sync
from segments_async._transfer.file_errors import file_error
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from segments_async._transfer.thread_batch import ThreadBatcher

BUFFER_BYTES = 256 * 1024
"""Bytes that are buffered before a write, so that a small file needs one call in a worker thread."""


@frozen
class FileVersion:
    """What identifies a version of a file, so that a download can be resumed."""

    etag: str
    """The strong ETag."""
    total: int
    """The size of the file in bytes."""

    @classmethod
    def of(cls, etag: str | None, total: int | None) -> FileVersion | None:
        """Return the version with these properties; None if one is unknown."""
        return None if etag is None or total is None else cls(etag, total)


class Sink(Protocol):
    """The destination of a download, which can be restarted."""

    version: FileVersion | None
    """The version of the file; None if the download cannot be resumed."""

    @property
    def size(self) -> int:
        """Bytes received so far."""
        raise NotImplementedError

    def has_room(self, size: int) -> bool:
        """Whether `write` of *size* bytes, and then `restart`, do not wait."""
        raise NotImplementedError

    async def restart(self, version: FileVersion | None = None, total: int | None = None) -> None:
        """Discard the bytes received so far; the next ones belong to *version*, and are *total* if that is known."""

    async def write(self, chunk: bytes) -> None:
        """Append a chunk."""


class MemorySink:
    """
    A download into memory.

    Args:
        max_bytes: Maximum size in bytes.
    """

    def __init__(self, max_bytes: int) -> None:
        self.version: FileVersion | None = None
        self._max_bytes = max_bytes
        self._content = bytearray()

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return len(self._content)

    @property
    def content(self) -> bytes:
        """The bytes received."""
        return bytes(self._content)

    def has_room(self, size: int) -> bool:
        """Whether writing does not wait."""
        return True

    async def restart(self, version: FileVersion | None = None, total: int | None = None) -> None:
        """
        Discard the bytes received so far.

        Raises:
            InputError: *total* exceeds *max_bytes*.
        """
        self.version = version
        self._content.clear()
        self._check_size(total or 0)

    async def write(self, chunk: bytes) -> None:
        """
        Append a chunk.

        Raises:
            InputError: The content exceeds *max_bytes*.
        """
        self._check_size(len(self._content) + len(chunk))
        self._content += chunk

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise InputError(f"is larger than {counted(self._max_bytes, 'byte')}", path="url")


class AtomicFile:
    """
    A temporary file beside *path*, written in worker threads, that replaces *path* when it is complete.

    A worker thread continues when asyncio cancels the task that waits for it. The lock and `_discarded` ensure that
    such a thread leaves no file.

    Args:
        path: Where to write the file.
        argument: The name of the argument for *path* in errors.
        batcher: Writes the file if it is small.
    """

    def __init__(self, path: Path, argument: str = "path", batcher: ThreadBatcher | None = None) -> None:
        self.version: FileVersion | None = None
        self._size = 0
        self._path = path
        self._argument = argument
        self._batcher = batcher
        self._temporary: str | Path = ""
        """The file that is written; empty until it is opened."""
        self._buffer = bytearray()
        self._file: IO[bytes] | None = None
        self._lock = Lock()
        self._discarded = False

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return self._size

    def has_room(self, size: int) -> bool:
        """Whether *size* bytes only go into the buffer."""
        return self._file is None and len(self._buffer) + size < BUFFER_BYTES

    async def restart(self, version: FileVersion | None = None, total: int | None = None) -> None:
        """Discard the bytes received so far."""
        self.version = version
        self._size = 0
        self._buffer.clear()
        if self._file is not None:
            await self._run(self._truncate)

    async def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        self._size += len(chunk)
        self._buffer += chunk
        if len(self._buffer) >= BUFFER_BYTES:
            await self._run(self._flush)

    async def finish(self) -> None:
        """Move the complete file to its path, replacing an existing one."""
        is_small = self._file is None
        await self._run(self._replace, self._batcher.run if is_small and self._batcher is not None else run_sync)

    async def discard(self) -> None:
        """Clean up; does nothing after `finish`."""
        if not self._discarded:
            with anyio.CancelScope(shield=True):
                await run_sync(self._remove)

    async def _run(
        self, step: Callable[[], None], in_thread: Callable[[Callable[[], None]], Awaitable[None]] = run_sync
    ) -> None:
        try:
            await in_thread(partial(self._run_locked, step))
        except (OSError, MemoryError) as error:
            raise file_error(error, "cannot be written", self._path, self._argument) from error

    def _run_locked(self, step: Callable[[], None]) -> None:
        with self._lock:
            if not self._discarded:
                step()

    def _flush(self) -> None:
        if self._file is None:
            self._file = self._open()
        rest = bytes(self._buffer)
        while rest:
            rest = rest[self._file.write(rest) :]  # of a file without a buffer, which may take less
        self._buffer.clear()

    def _open(self) -> IO[bytes]:
        self._temporary = os.path.join(os.path.dirname(self._path), f".{secrets.token_hex(8)}.part")  # noqa: PTH118, PTH120 (as below)
        return FileIO(self._temporary, "xb")

    def _truncate(self) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()

    def _replace(self) -> None:
        self._flush()
        assert self._file is not None
        self._file.close()
        os.replace(self._temporary, self._path)  # noqa: PTH105 (pathlib's takes longer)
        self._discarded = True

    def _remove(self) -> None:
        with self._lock:
            self._discarded = True
            if self._file is not None:
                self._abandon(self._file)

    def _abandon(self, file: IO[bytes]) -> None:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            os.unlink(self._temporary)  # noqa: PTH108 (perhaps no path)
