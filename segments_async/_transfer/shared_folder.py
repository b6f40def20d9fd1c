"""A folder of downloads that processes share: the parts that a killed process left are deleted when it is next used."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from segments_async._threads import run_sync
from segments_async._transfer.folder import DownloadFolder

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

MAX_AGE = 24 * 3600.0
"""Seconds after which a part is abandoned although another process uses the folder: it would have grown meanwhile."""
MAX_RESUMABLE_AGE = 7 * 24 * 3600.0
"""Seconds for which a part that a later call can resume is kept."""

_temporary = re.compile(r"\.[0-9a-f]{16}\.part").fullmatch
_resumable = re.compile(r"\..+-[0-9a-f]{16}(\.[a-z0-9]{1,8})?\.part(\.json)?").fullmatch


class SharedFolder(DownloadFolder):
    """
    A `DownloadFolder` that is swept when it is opened. Close it after use.

    Each user has a shared lock on the folder itself, which the operating system releases when the process ends. A
    process that gets an exclusive lock is the only user, so every part in the folder is a leftover. Otherwise, and
    where there are no such locks (Windows, some network file systems), only old parts are.

    Args:
        path: The folder; created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._folder = path
        self._descriptor: int | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """
        Create the folder, or sweep it and list the files that earlier runs downloaded.

        Raises:
            InputError: It cannot be created or read.
        """
        await super().open()
        await run_sync(self._lock_and_sweep)

    async def close(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            with anyio.CancelScope(shield=True):
                await run_sync(self._unlock)

    def _lock_and_sweep(self) -> None:
        is_alone = False
        if sys.platform != "win32":
            with suppress(OSError):
                self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
                is_alone = _try_exclusive(self._descriptor)
        sweep(self._folder, max_age=0 if is_alone else MAX_AGE)
        if sys.platform != "win32" and self._descriptor is not None:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def _unlock(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def sweep(folder: Path, *, max_age: float) -> None:
    """Delete the parts of downloads that did not grow for *max_age* seconds."""
    now = time.time()
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            limit = max_age if _temporary(entry.name) else MAX_RESUMABLE_AGE if _resumable(entry.name) else None
            with suppress(OSError):
                if limit is not None and now - entry.stat(follow_symlinks=False).st_mtime >= limit:
                    os.unlink(entry)  # noqa: PTH108 (entries are no paths)


if sys.platform != "win32":

    def _try_exclusive(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
