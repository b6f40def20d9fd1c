"""The errors of commands, and the exit statuses of all errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from segments_async.cli.exit_statuses import FAILED, KEY_REFUSED, NOT_FOUND, TRY_LATER, UNREACHABLE, USAGE
from segments_async.errors import (
    ApiError,
    AuthenticationError,
    AuthorizationError,
    InputError,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_TIMEOUTS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.GATEWAY_TIMEOUT})
_BY_CLASS: tuple[tuple[type[BaseException], int], ...] = (
    (AuthenticationError, KEY_REFUSED),
    (AuthorizationError, KEY_REFUSED),
    (NotFoundError, NOT_FOUND),
    (RateLimitError, TRY_LATER),
    (RequestTimeoutError, TRY_LATER),
    (ServerError, UNREACHABLE),
    (TransportError, UNREACHABLE),
    (InputError, USAGE),
    (ImportError, USAGE),
)


class CommandError(Exception):
    """
    A command cannot do what was asked.

    Attributes:
        status: The exit status.
        hint: What to do, in one line; empty if the message says it.
    """

    def __init__(self, message: str, *, status: int = USAGE, hint: str = "") -> None:
        super().__init__(printable(message))
        self.status = status
        self.hint: str = printable(hint)


def status_of(error: BaseException) -> int:
    """Return the exit status for *error*: the first class of the table that it belongs to, otherwise 1."""
    if isinstance(error, CommandError):
        return error.status
    if isinstance(error, ApiError) and error.status in _TIMEOUTS:
        return TRY_LATER
    return next((status for cls, status in _BY_CLASS if isinstance(error, cls)), FAILED)


def common_status(errors: Iterable[BaseException | None]) -> int:
    """Return the exit status that all *errors* share, otherwise 1; bad items are failures, not a wrong usage."""
    statuses = {FAILED if error is None else status_of(error) for error in errors}
    return statuses.pop() if len(statuses) == 1 and USAGE not in statuses else FAILED
