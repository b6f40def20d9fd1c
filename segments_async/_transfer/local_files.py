"""Read the caller's files; those found in a folder must still be the files that were found."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segments_async._transfer.file_errors import file_error

if sys.platform == "win32":
    from pathlib import WindowsPath as _SystemPath
else:
    from pathlib import PosixPath as _SystemPath

if TYPE_CHECKING:
    from io import BufferedReader
    from typing import Self

# A pipe must not block, and Windows would translate line breaks.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


class FoundFile(_SystemPath):
    """
    The path of a regular file that was found in a folder, and what identifies the file.

    Whoever may write to the folder could replace the file by a link to a secret of the reader before it is read. A path
    that the caller names may be a link.
    """

    _target: str | None = None
    """The path without links; None for a path that was derived from this one, which is an ordinary path."""
    _identity: tuple[int, int] | None = None

    @classmethod
    def find(cls, path: Path, target: Path) -> Self | None:
        """
        Return *path*, which leads to *target*; None if that is not a regular file.

        Raises:
            OSError: There is no such file.
        """
        status = os.lstat(target)
        if not stat.S_ISREG(status.st_mode):
            return None
        found = cls(path)
        found._target, found._identity = str(target), (status.st_dev, status.st_ino)
        return found

    def status(self) -> os.stat_result:
        """Return the status of the file that was found."""
        if self._target is None:
            return self.stat()
        return self.check(os.lstat(self._target))

    def open_found(self) -> int:
        """Open the file that was found, and return its descriptor."""
        if self._target is None:
            return os.open(self, _FLAGS)
        try:
            return os.open(self._target, _FLAGS | _NO_LINKS)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _replaced() from error
            raise

    def check(self, status: os.stat_result) -> os.stat_result:
        """Return *status* if it is that of the file that was found."""
        if self._identity not in {None, (status.st_dev, status.st_ino)}:
            raise _replaced()
        return status

    def __repr__(self) -> str:
        return repr(Path(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Path, (str(self),)  # an identity means nothing elsewhere


def _replaced() -> OSError:
    return OSError(errno.ESTALE, "replaced by another file after it was found")


def open_file(path: Path) -> BufferedReader:
    """
    Open a regular file for reading.

    Raises:
        OSError: It cannot be opened, is not a regular file, or is not the file that was found.
        ValueError: *path* cannot be that of a file.
    """
    file = open(path, "rb", opener=lambda name, _: _open(path, name))  # noqa: SIM115 (returned)
    try:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")  # noqa: TRY301
        if isinstance(path, FoundFile):
            path.check(status)
    except BaseException:
        file.close()
        raise
    return file


def _open(path: Path, name: str) -> int:
    return path.open_found() if isinstance(path, FoundFile) else os.open(name, _FLAGS)


def file_status(path: Path) -> os.stat_result:
    """
    Return the status of a file.

    Raises:
        OSError: There is no such file, or it is not the file that was found.
        ValueError: *path* cannot be that of a file.
    """
    return path.status() if isinstance(path, FoundFile) else path.stat()


def path_of(file: str | os.PathLike[str], argument: str) -> Path:
    """
    Convert a path-like object of the caller.

    Raises:
        InputError: It raises an exception, or is not a path after all; *argument* is its name in the error.
        OutOfResourcesError: It raises one that says that the machine is short of something.
    """
    if isinstance(file, Path):
        return file
    try:
        return Path(os.path.expanduser(file))  # noqa: PTH111 (a name that is not of a user stays)
    except Exception as error:
        raise file_error(error, "cannot be used as a path", "", argument) from error
