"""What an exception of redis-py means to a run: a wrong argument, a shortage, or a server that cannot be used now."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from segments_async._caller_errors import describe
from segments_async._wire.redis_passwords import password_masked
from segments_async._wire.shortages import shortage_advice, shortage_code
from segments_async.errors import ConnectError, InputError, OutOfResourcesError, RequestTimeoutError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATH = "checkpoint"
_REFUSED = frozenset({"AuthenticationError", "AuthorizationError"})
"""Classes of redis-py below its ConnectionError that no repetition mends: a wrong user or password."""
_SHORTAGES = {
    "OOM": "raise its maxmemory, or delete what it no longer needs",
    "MISCONF": "free disk space on its machine, or mend what its log names",
}
"""What Redis lacks by the code of its answer, and what to do."""
_LATER = {
    "READONLY": "use the URL of the primary, or wait until the failover has ended",
    "LOADING": "try again later",
    "MASTERDOWN": "try again later",
    "CLUSTERDOWN": "try again later",
    "TRYAGAIN": "try again later",
    "NOREPLICAS": "try again later",
    "BUSY": "try again later",
}
"""Codes of an answer that may be another one later, and what to do."""
_CODES_OF_CLASSES = {
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "BusyLoadingError": "LOADING",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "TryAgainError": "TRYAGAIN",
}
"""Classes whose message redis-py gives without its code."""


@contextmanager
def translated_errors(name: str, client: Any = None) -> Iterator[None]:
    """Raise what redis-py raises as errors of this package, which name the checkpoint *name*, not the password."""
    try:
        with nullcontext() if client is None else password_masked(client):
            yield
    except SegmentsError:
        raise
    except Exception as error:
        raise redis_error(name, error) from error


def redis_error(name: str, error: Exception) -> SegmentsError:
    """
    Return the error for what redis-py raised; set *error* as its ``__cause__``.

    Args:
        name: The checkpoint's name.
        error: The exception; not an error of this package.

    Returns:
        An `OutOfResourcesError` if this machine or Redis lacks something; a `ConnectError` or a `RequestTimeoutError`,
        which are retryable, if Redis cannot be used now; otherwise an `InputError`, such as for a wrong password.
    """
    problem = f"{name} cannot be used ({describe(error)})"
    if (errno := shortage_code(error)) is not None:
        return OutOfResourcesError(f"{problem}; {shortage_advice(errno)}", path=_PATH, errno=errno)
    classes = [cls.__name__ for cls in type(error).__mro__]
    code = next((_CODES_OF_CLASSES[name] for name in classes if name in _CODES_OF_CLASSES), _code_of(error))
    if code in _SHORTAGES:
        return OutOfResourcesError(f"{problem}; {_SHORTAGES[code]}", path=_PATH)
    if code in _LATER:
        return ConnectError(f"{_PATH}: {problem}; {_LATER[code]}", sent=False)
    if "TimeoutError" in classes:
        return RequestTimeoutError(f"{_PATH}: {problem}", sent=False)
    if "ConnectionError" in classes and _REFUSED.isdisjoint(classes):
        return ConnectError(f"{_PATH}: {problem}", sent=False)
    return InputError(problem, path=_PATH)


def _code_of(error: Exception) -> str:
    """Return the first word of the message, which is the code of an answer for which redis-py has no class."""
    return str(error).partition(" ")[0]
