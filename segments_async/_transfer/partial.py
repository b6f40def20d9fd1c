"""A file that is not finished yet: beside its place on disk, or in memory."""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import IO, TYPE_CHECKING, Protocol

import anyio
from anyio.to_thread import run_sync

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from segments_async._transfer.thread_batch import ThreadBatcher

BUFFER_BYTES = 256 * 1024
"""So much is held before it is written, so that a small file costs one hop to a worker thread."""


class Sink(Protocol):
    """Where the bytes of a download go, which may begin anew."""

    tag: str | None
    """The strong ETag of what this is a part of; None if it cannot be gone on with."""

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        raise NotImplementedError

    async def restart(self, tag: str | None = None) -> None:
        """Forget what came so far; what comes now is part of what *tag* names."""

    async def write(self, chunk: bytes) -> None:
        """Append."""


class MemorySink:
    """
    A download that is kept in memory.

    Args:
        max_bytes: Bytes it may have.
    """

    def __init__(self, max_bytes: int) -> None:
        self.tag: str | None = None
        self._max_bytes = max_bytes
        self._content = bytearray()

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return len(self._content)

    @property
    def content(self) -> bytes:
        """All of them."""
        return bytes(self._content)

    async def restart(self, tag: str | None = None) -> None:
        """Forget what came so far."""
        self.tag = tag
        self._content.clear()

    async def write(self, chunk: bytes) -> None:
        """Append; InputError if it is too much."""
        if len(self._content) + len(chunk) > self._max_bytes:
            raise InputError(f"is larger than {self._max_bytes} bytes", path="url")
        self._content += chunk


class AtomicFile:
    """
    The unfinished file beside *path*, written in worker threads: *path* is whole or not there.

    A task that asyncio cancels leaves its thread behind; the lock and `_discarded` see to it that such a thread
    leaves no file.

    Args:
        path: Where the file is to be.
        what: What the path is called in errors.
        batcher: Writes it if it is small.
    """

    def __init__(self, path: Path, what: str = "path", batcher: ThreadBatcher | None = None) -> None:
        self.tag: str | None = None
        self._size = 0
        self._path = path
        self._what = what
        self._batcher = batcher
        self._temporary = path.with_name(f".{secrets.token_hex(8)}.part")
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._lock = Lock()
        self._discarded = False

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return self._size

    async def restart(self, tag: str | None = None) -> None:
        """Forget what came so far."""
        self.tag = tag
        self._size = 0
        self._held.clear()
        if self._file is not None:
            await self._run(self._truncate)

    async def write(self, chunk: bytes) -> None:
        """Append."""
        self._size += len(chunk)
        self._held += chunk
        if len(self._held) >= BUFFER_BYTES:
            await self._run(self._flush)

    async def finish(self) -> None:
        """Take the place of what is there."""
        small = self._file is None
        await self._run(self._replace, self._batcher.run if small and self._batcher is not None else run_sync)

    async def discard(self) -> None:
        """Clean up, unless it is finished."""
        if not self._discarded:
            with anyio.CancelScope(shield=True):
                await run_sync(self._remove)

    async def _run(
        self, step: Callable[[], None], in_thread: Callable[[Callable[[], None]], Awaitable[None]] = run_sync
    ) -> None:
        try:
            await in_thread(partial(self._locked, step))
        except OSError as error:
            raise InputError(f"cannot be written ({error.strerror}): {self._path}", path=self._what) from error

    def _locked(self, step: Callable[[], None]) -> None:
        with self._lock:
            if not self._discarded:
                step()

    def _flush(self) -> None:
        if self._file is None:
            self._file = self._open()
        self._file.write(self._held)
        self._held.clear()

    def _open(self) -> IO[bytes]:
        return self._temporary.open("xb")

    def _truncate(self) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()

    def _replace(self) -> None:
        self._flush()
        assert self._file is not None
        self._file.close()
        self._temporary.replace(self._path)
        self._discarded = True

    def _remove(self) -> None:
        with self._lock:
            self._discarded = True
            if self._file is not None:
                self._give_up(self._file)

    def _give_up(self, file: IO[bytes]) -> None:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)
