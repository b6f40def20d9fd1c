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


def forget_frames(error: BaseException | None) -> None:
    """Drop the stack frames of an exception, of all that it was raised from, and of the exceptions in a group."""
    seen: set[int] = set()
    found = [error]
    while found:
        exception = found.pop()
        if exception is None or id(exception) in seen:
            continue
        seen.add(id(exception))
        exception.__traceback__ = None
        found += [exception.__cause__, exception.__context__]
        if isinstance(exception, BaseExceptionGroup):
            found += exception.exceptions
