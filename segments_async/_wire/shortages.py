"""Recognize failures of this machine, such as too many open files, and say what to raise or lower."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILES = "raise the limit of open files (ulimit -n), or lower max_connections"
_HINTS: dict[int, str] = {
    errno.EMFILE: _FILES,
    errno.ENFILE: "lower max_connections, or close other programs: this machine has too many open files",
    errno.ENOBUFS: "lower max_connections: this machine has no buffers left for sockets",
    errno.EAGAIN: "lower max_connections or concurrency: this machine is temporarily out of resources",
    errno.ENOMEM: "lower concurrency or batch_size: this machine is out of memory",
    errno.ENOSPC: "free some space on the disk",
}
_BY_NAME = {
    "EDQUOT": "free some space: the disk quota is used up",
    "EADDRNOTAVAIL": "lower max_connections, or wait until closed connections expire: no local port is free",
    "WSAEMFILE": _FILES,
    "WSAENOBUFS": _HINTS[errno.ENOBUFS],
}
"""Hints for codes that not every platform has."""
_HINTS.update({getattr(errno, name): hint for name, hint in _BY_NAME.items() if hasattr(errno, name)})
_NO_THREAD = "can't start new thread"
"""What Python says when the limit of threads is reached (``RLIMIT_NPROC``, or that of a container)."""


def shortage_hint(error: BaseException) -> str | None:
    """
    Return what to do about a shortage that *error*, or an exception that it was raised from, reports.

    Example:
        >>> shortage_hint(OSError(errno.EMFILE, "Too many open files"))
        'raise the limit of open files (ulimit -n), or lower max_connections'
        >>> shortage_hint(FileNotFoundError(errno.ENOENT, "No such file or directory"))

    Returns:
        The hint; None if the machine lacks nothing.
    """
    code = shortage_code(error)
    return None if code is None else _HINTS[code]


def shortage_code(error: BaseException) -> int | None:
    """Return the error number of the shortage that *error* reports; None if the machine lacks nothing."""
    for cause in _causes_of(error):
        if isinstance(cause, OSError) and cause.errno in _HINTS:
            return cause.errno
        if isinstance(cause, MemoryError):
            return errno.ENOMEM
        if type(cause) is RuntimeError and cause.args[:1] == (_NO_THREAD,):
            return errno.EAGAIN
    return None


def _causes_of(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
