"""Receive a download into a partial file that a later call, or another process, can resume."""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from segments_async._transfer.partial import AtomicFile, FileVersion
from segments_async._wire.etags import strong_etag

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

MIN_RESUMABLE_BYTES = 1024 * 1024
"""Minimum size of a partial file that is kept; a smaller one is cheap to download again."""


class ResumableFile(AtomicFile):
    """
    A partial file beside *path* that is kept if the download fails and can be resumed.

    Its name is fixed, and a metadata file beside it records its address, its ETag and its total size. The writer holds
    a lock on it, which the operating system releases when the process ends. If another writer holds the lock, the
    download uses a random temporary name and cannot be resumed. The same applies on Windows, where such locks are not
    available.

    Args:
        path: Where to write the file.
        address: Identifies the URL of the file: an ETag is unique for one URL only.
        argument: The name of the argument for *path* in errors.
    """

    def __init__(self, path: Path, address: str, argument: str = "path") -> None:
        super().__init__(path, argument)
        self._address = address
        self._part = path.with_name(f".{path.name}.part")
        self._metadata = path.with_name(f".{path.name}.part.json")
        self._recorded_version: FileVersion | None = None
        self._is_recorded = False
        """Whether the metadata file describes `_recorded_version`, and does not exist if that is None."""
        self._failed = False

    async def open(self) -> None:
        """Resume from the partial file of an earlier call, if there is one."""
        await self._run(self._open_existing)

    def _open_existing(self) -> None:
        if not os.path.exists(self._part):  # noqa: PTH110 (pathlib's raises if the name is too long)
            return
        self._file = self._open_part()
        if self._file is None:
            return
        version = self._read_metadata()
        size = self._file.seek(0, os.SEEK_END)
        if version is None or size > version.total:
            self._truncate()
        else:
            self.version = self._recorded_version = version
            self._is_recorded = True
            # The last byte is requested again, so that the server validates even a complete part.
            self._size = self._file.seek(max(0, size - 1))

    def _open_part(self) -> IO[bytes] | None:
        """Open the resumable part; None if another writer has locked it."""
        file = _open_locked(self._part)
        if file is not None:
            self._temporary = self._part
        return file

    @property
    def _is_resumable(self) -> bool:
        return self._temporary is self._part

    def _read_metadata(self) -> FileVersion | None:
        try:
            metadata = json.loads(self._metadata.read_bytes())
            if metadata["address"] != self._address or type(metadata["total"]) is not int:
                return None
            return FileVersion.of(strong_etag(metadata["etag"]), metadata["total"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def _write_metadata(self) -> None:
        self._metadata.unlink(missing_ok=True)
        if self.version is not None:
            with self._metadata.open("x", encoding="utf-8") as file:  # a new file, so that no symlink is followed
                json.dump({"address": self._address, "etag": self.version.etag, "total": self.version.total}, file)
        self._recorded_version = self.version
        self._is_recorded = True

    def _open(self) -> IO[bytes]:
        file = self._open_part()
        if file is None:
            return super()._open()
        file.truncate()
        return file

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = self._open()
            if self._is_resumable and not (self._is_recorded and self._recorded_version == self.version):
                self._write_metadata()
            super()._flush()
        except OSError:
            self._failed = True
            raise

    def _replace(self) -> None:
        if self._file is None:  # the file is too small to be resumed
            self._file = super()._open()
        if not self._is_resumable:
            super()._replace()
            return
        self._flush()
        self._file.flush()
        # Rename before closing releases the lock: no other process may resume this part or lose its own metadata.
        self._metadata.unlink(missing_ok=True)
        self._part.replace(self._path)
        self._discarded = True
        self._file.close()

    def _abandon(self, file: IO[bytes]) -> None:
        if not self._is_resumable:
            super()._abandon(file)
            return
        with suppress(OSError):
            if not self._is_worth_keeping(file):  # deleted before the lock is released
                self._metadata.unlink(missing_ok=True)
                self._part.unlink(missing_ok=True)
        with suppress(OSError):
            file.close()

    def _is_worth_keeping(self, file: IO[bytes]) -> bool:
        """Write the buffer, and return whether the part can be resumed. After a write error it only takes up space."""
        with suppress(OSError):
            if self.version is not None and not self._failed:
                self._flush()
                return file.seek(0, os.SEEK_END) >= MIN_RESUMABLE_BYTES
        return False


def _open_locked(path: Path) -> IO[bytes] | None:
    """Open or create a file and lock it; None if another process has locked it, or if that is not possible."""
    if sys.platform == "win32":
        return None
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = open(path, "r+b", opener=lambda name, _: os.open(name, flags, 0o666))  # noqa: SIM115
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened = os.fstat(file.fileno())
        # Another process may have renamed or deleted the file before we got the lock, or another user created it.
        if os.path.samestat(opened, path.lstat()) and stat.S_ISREG(opened.st_mode) and opened.st_uid == os.geteuid():
            return file
    file.close()
    return None
