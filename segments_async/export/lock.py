"""One export at a time writes to a folder, whichever tasks and processes run them; the others wait."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

from segments_async._threads import run_sync
from segments_async.export.output import raise_unwritable

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LOCK_NAME = ".segments-export.lock"
POLL_SECONDS = 0.1

_log = logging.getLogger("segments_async")


class FolderLock:
    """
    The right to write to a folder: an async context manager that waits until no other export has it.

    The lock is on a hidden file, which is deleted at the end; the operating system releases that of a killed process.
    Where there are no such locks (Windows, some network file systems), nothing waits.

    Args:
        folder: Created if it does not exist; folders that are created and stay empty are deleted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / LOCK_NAME
        self._descriptor: int | None = None
        self._created: list[Path] = []

    async def __aenter__(self) -> Self:
        is_logged = False
        while not await run_sync(self._acquire):
            if not is_logged:
                is_logged = True
                _log.warning("waiting for the end of another export into %s", self._folder)
            await anyio.sleep(POLL_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await run_sync(self._release)

    def _acquire(self) -> bool:
        """Take the lock, and return whether no other export has it."""
        with raise_unwritable(self._folder):
            missing = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
            self._folder.mkdir(parents=True, exist_ok=True)
        self._created += [folder for folder in missing if folder not in self._created]
        try:
            self._descriptor = _lock(self._file)
        except BlockingIOError:
            return False
        return True

    def _release(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                self._file.unlink()  # first, so that whoever opened it before sees that it is not this file any more
            os.close(self._descriptor)
        with suppress(OSError):
            for folder in self._created:
                folder.rmdir()


def _lock(file: Path) -> int | None:
    """
    Create and lock a file, and return its descriptor; None where there are no locks.

    Raises:
        BlockingIOError: It is locked.
    """
    if sys.platform == "win32":
        return None
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        try:
            descriptor = os.open(file, flags, 0o666)
        except OSError:  # what is written later fails too, and says why
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            os.close(descriptor)
            return None
        os.close(descriptor)


def _is_at(file: Path, descriptor: int) -> bool:
    """Return whether an open file is still in its place; an export that ended may just have deleted it."""
    try:
        return os.path.samestat(file.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
