"""A file that is not finished yet, and that another call or another process can go on with."""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from segments_async._transfer.partial import AtomicFile
from segments_async._wire.etags import strong_etag

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

MIN_RESUMABLE_BYTES = 1024 * 1024
"""Less than that is sooner fetched anew than explained."""


class ResumableFile(AtomicFile):
    """
    The unfinished file beside *path*, which stays there when it can be gone on with.

    Its name is always the same, and a note beside it says what it is a part of. Who writes it holds a lock on it, which
    ends with the process. Whoever comes meanwhile writes to a file of his own, which does not stay; so does everybody
    on Windows, where there are no such locks.

    Args:
        path: Where the file is to be.
        address: Says what it holds, as the tag alone is unique to one address only.
        what: What the path is called in errors.
    """

    def __init__(self, path: Path, address: str, what: str = "path") -> None:
        super().__init__(path, what)
        self._address = address
        self._part = path.with_name(f".{path.name}.part")
        self._note = path.with_name(f".{path.name}.part.json")
        self._noted: str | None = ""
        """The tag that the note tells; empty before anybody knows."""
        self._failed = False

    async def open(self) -> None:
        """Look for what an earlier call has left."""
        await self._run(self._look)

    def _look(self) -> None:
        if not os.path.exists(self._part):  # noqa: PTH110 (pathlib's raises if the name is too long)
            return
        self._file = self._take()
        if self._file is None:
            return
        self.tag = self._read_note()
        if self.tag is None:
            self._file.truncate()
        else:
            self._noted = self.tag
            # The last byte is fetched again: so the server is asked about a part that is whole, too.
            self._size = self._file.seek(max(0, self._file.seek(0, os.SEEK_END) - 1))

    def _take(self) -> IO[bytes] | None:
        """Open the part that stays, unless somebody else has it."""
        file = _open_locked(self._part)
        if file is not None:
            self._temporary = self._part
        return file

    @property
    def _stays(self) -> bool:
        return self._temporary is self._part

    def _read_note(self) -> str | None:
        try:
            note = json.loads(self._note.read_bytes())
            return strong_etag(note["etag"]) if note["address"] == self._address else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _write_note(self) -> None:
        self._note.unlink(missing_ok=True)
        with self._note.open("x", encoding="utf-8") as file:  # made anew, as a symlink would be followed
            json.dump({"address": self._address, "etag": self.tag}, file)
        self._noted = self.tag

    def _open(self) -> IO[bytes]:
        file = self._take()
        if file is None:
            return super()._open()
        file.truncate()
        return file

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = self._open()
            if self._stays and self._noted != self.tag:
                self._write_note()
            super()._flush()
        except OSError:
            self._failed = True
            raise

    def _replace(self) -> None:
        if self._file is None:  # so little came that nobody would have gone on with it
            self._file = super()._open()
        if not self._stays:
            super()._replace()
            return
        self._flush()
        self._file.flush()
        # While the lock holds: nobody may go on with it now, nor lose a note of his own.
        self._note.unlink(missing_ok=True)
        self._part.replace(self._path)
        self._discarded = True
        self._file.close()

    def _give_up(self, file: IO[bytes]) -> None:
        if not self._stays:
            super()._give_up(file)
            return
        with suppress(OSError):
            if not self._is_worth_it(file):  # while the lock holds
                self._note.unlink(missing_ok=True)
                self._part.unlink(missing_ok=True)
        with suppress(OSError):
            file.close()

    def _is_worth_it(self, file: IO[bytes]) -> bool:
        """Whether it can be gone on with, now that all is in it that came. On a full disk it would be in the way."""
        with suppress(OSError):
            if self.tag is not None and not self._failed:
                self._flush()
                return file.seek(0, os.SEEK_END) >= MIN_RESUMABLE_BYTES
        return False


def _open_locked(path: Path) -> IO[bytes] | None:
    """Open or make a file that nobody else has open in this way; None if that cannot be."""
    if sys.platform == "win32":
        return None
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = open(path, "r+b", opener=lambda name, _: os.open(name, flags, 0o666))  # noqa: SIM115
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(file.fileno())
        # Another may have renamed or deleted it before the lock was ours, and strangers may have laid it there.
        if os.path.samestat(found, path.lstat()) and stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            return file
    file.close()
    return None
