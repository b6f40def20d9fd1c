"""Recognize failures of this machine, such as too many open files, and say what to raise or lower."""

from __future__ import annotations

import errno

from segments_async._wire.causes import all_causes_of

_MORE_FILES = "raise the limit (ulimit -n) or lower max_connections"
_SHORTAGES: dict[str, tuple[str, str]] = {
    "EMFILE": ("too many open files", _MORE_FILES),
    "WSAEMFILE": ("too many open files", _MORE_FILES),
    "ENFILE": ("too many open files on this machine", "lower max_connections or close other programs"),
    "ENOBUFS": ("no buffer space for sockets", "lower max_connections"),
    "WSAENOBUFS": ("no buffer space for sockets", "lower max_connections"),
    "ENOMEM": ("out of memory", "lower concurrency, batch_size or max_connections"),
    "EAGAIN": ("temporarily out of resources", "lower concurrency or max_connections"),
    "EADDRNOTAVAIL": ("no local port is free", "lower max_connections, or wait for closed connections to time out"),
    "ENOSPC": ("no space left on the disk", "free some space"),
    "EDQUOT": ("the disk quota is used up", "free some space"),
}
"""What is short and what to do about it, by the name of the error number; not every platform has each of them."""
_BY_CODE: dict[int, tuple[str, str]] = {
    getattr(errno, name): words for name, words in _SHORTAGES.items() if hasattr(errno, name)
}
_NO_THREAD = "can't start new thread"
"""What Python says when the limit of threads is reached (``RLIMIT_NPROC``, or that of a container)."""


def shortage_hint(error: BaseException) -> str | None:
    """
    Return what is short and what to do, if *error* or an exception that it was raised from reports a shortage.

    Example:
        >>> shortage_hint(OSError(errno.EMFILE, "Too many open files"))
        'too many open files: raise the limit (ulimit -n) or lower max_connections'
        >>> shortage_hint(FileNotFoundError(errno.ENOENT, "No such file or directory"))

    Returns:
        The hint; None if this machine lacks nothing.
    """
    code = shortage_code(error)
    return None if code is None else ": ".join(_BY_CODE[code])


def shortage_advice(code: int) -> str:
    """Return what to do about the shortage with this error number, such as ``free some space``."""
    return _BY_CODE[code][1]


def shortage_code(error: BaseException) -> int | None:
    """Return the error number of the shortage that *error* reports; None if this machine lacks nothing."""
    for cause in all_causes_of(error):
        if isinstance(cause, OSError) and cause.errno in _BY_CODE:
            return cause.errno
        if isinstance(cause, MemoryError):
            return errno.ENOMEM
        if type(cause) is RuntimeError and cause.args[:1] == (_NO_THREAD,):
            return errno.EAGAIN
    return None
