"""Which failures say that the machine ran out of something, and what to do about each."""

from __future__ import annotations

import errno

_FILES = "too many open files: raise the limit (ulimit -n) or lower max_connections"
_DISK = "no space left on the disk"
_HINTS = {
    errno.EMFILE: _FILES,
    errno.ENFILE: "too many open files on this machine: lower max_connections or close other programs",
    errno.ENOBUFS: "no buffer space for sockets: lower max_connections",
    errno.ENOMEM: "out of memory: lower max_connections or the size of batches",
    errno.EAGAIN: "temporarily out of resources: lower max_connections",
    errno.EADDRNOTAVAIL: "no local port is free: lower max_connections, or wait for closed connections to time out",
    errno.ENOSPC: _DISK,
    getattr(errno, "EDQUOT", errno.ENOSPC): "the disk quota is used up",
}


def shortage_hint(error: BaseException) -> str | None:
    """Return what is short and what to do, if *error* or what it was raised from is a shortage of this machine."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in _HINTS:
            return _HINTS[cause.errno]
        cause = cause.__cause__ or cause.__context__
    return None
