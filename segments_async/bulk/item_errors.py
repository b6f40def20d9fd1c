"""Attribute the errors of a run to items, and drop what would keep memory in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._caller_errors import caller_error, describe
from segments_async._wire.causes import forget_frames
from segments_async._wire.shortages import shortage_advice, shortage_code
from segments_async.errors import (
    AuthenticationError,
    AuthorizationError,
    InputError,
    OutcomeUnknownError,
    OutOfResourcesError,
    SegmentsError,
    SubscriptionError,
)

if TYPE_CHECKING:
    from segments_async._http.call_stats import CallStats

_FATAL = (AuthenticationError, AuthorizationError, SubscriptionError)
_FATAL_STATUSES = frozenset({None, 401, 402, 403})


def item_error(error: Exception) -> SegmentsError:
    """
    Return the error of an item that failed before it was sent.

    Errors of this package stay as they are. Any other exception was raised by code of the caller, such as a value, a
    file or a function, and becomes an `InputError`; or an `OutOfResourcesError`, if it reports a shortage.
    """
    if isinstance(error, SegmentsError) and not isinstance(error, InputError):
        return error
    failure = error if isinstance(error, InputError) else caller_error(error)
    code = shortage_code(error)
    if code is None:
        return failure
    short = OutOfResourcesError(f"{failure.problem}; {shortage_advice(code)}", path=failure.path, errno=code)
    short.__cause__ = failure.__cause__
    return short


def error_of_send(error: Exception, stats: CallStats) -> SegmentsError:
    """Return the error for items whose request raised an exception that is not an error of this package."""
    if stats.attempts <= stats.throttles:
        return item_error(error)
    unknown = OutcomeUnknownError(f"raised {describe(error)} after the request may have been sent")
    unknown.__cause__ = error
    return unknown


def strip_tracebacks(error: SegmentsError) -> SegmentsError:
    """
    Drop what would keep requests and their bodies in memory for every failure, and return *error*.

    Tracebacks are dropped, and causes except errors of this package and exceptions of the caller's code.
    """
    error.__traceback__ = error.__context__ = None
    cause = error.__cause__
    if isinstance(cause, SegmentsError):
        strip_tracebacks(cause)
    elif isinstance(error, InputError | OutOfResourcesError | OutcomeUnknownError):
        forget_frames(cause)
    else:
        error.__cause__ = None
    return error


def is_fatal(error: SegmentsError) -> bool:
    """Return whether *error* concerns the key or the plan. Its status decides: wording may refine a 400 of one item."""
    return isinstance(error, _FATAL) and error.status in _FATAL_STATUSES


def first_in(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception of a group to raise instead of it: the first that is not an `Exception`, if there is one."""
    leaves = []
    found: list[BaseException] = [group]
    while found:
        exception = found.pop(0)
        if isinstance(exception, BaseExceptionGroup):
            found[:0] = exception.exceptions
        else:
            leaves.append(exception)
    return next((leaf for leaf in leaves if not isinstance(leaf, Exception)), leaves[0])
