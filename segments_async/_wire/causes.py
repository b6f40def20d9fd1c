"""The exceptions that an exception was raised from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Iterate over an exception and what it was raised from, without repeating a cycle."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def hide_cause(error: BaseException) -> None:
    """Keep what *error* was raised from out of printed tracebacks; its ``__context__`` still leads there."""
    error.__context__ = error.__cause__ or error.__context__
    error.__cause__ = None
    error.__suppress_context__ = True


def forget_frames(error: BaseException | None) -> None:
    """Drop the stack frames of an exception, of all that it was raised from, and of the exceptions in a group."""
    for exception in all_causes_of(error):
        exception.__traceback__ = None


def all_causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """Iterate over an exception, what it was raised from, and the exceptions in groups, without repeating a cycle."""
    seen: set[int] = set()
    found = [error]
    while found:
        exception = found.pop()
        if exception is None or id(exception) in seen:
            continue
        seen.add(id(exception))
        yield exception
        found += [exception.__cause__, exception.__context__]
        if isinstance(exception, BaseExceptionGroup):
            found += exception.exceptions
