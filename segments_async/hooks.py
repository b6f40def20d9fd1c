"""Observe the requests of a client: callbacks, in addition to the logger ``segments_async``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from segments_async.errors import SegmentsError


@frozen(kw_only=True)
class CallEvent:
    """The event passed to a hook. It contains no secrets: no API key, no body, no signature of a presigned URL."""

    method: str
    """The HTTP method, such as ``"GET"``."""
    url: str
    """The URL, without the signature of a presigned one."""
    status: int | None = None
    """Status of the response; None if there is no response."""
    request_id: str | None = None
    """Request id of the response."""
    seconds: float | None = None
    """Seconds until the response arrived; before a retry, seconds to wait."""
    attempt: int | None = None
    """Before a retry: number of attempts so far."""
    error: SegmentsError | None = None
    """Before a retry: the error of the last attempt."""


Hook = Callable[[CallEvent], object]


@frozen(kw_only=True)
class Hooks:
    """
    Callbacks for the requests of a client. They run in its event loop, so they must be fast.

    An exception raised by a hook propagates from the call that triggered it.

    Example:
        >>> def log(event: CallEvent) -> None:
        ...     print(event.method, event.url, event.status)
        >>> Hooks(on_response=log).on_request is None
        True
    """

    on_request: Hook | None = None
    """Called before each request, to the API or to storage."""
    on_response: Hook | None = None
    """Called after each response, whatever its status. A lost response is passed to `on_retry`, or raised."""
    on_retry: Hook | None = None
    """Called before each retry."""
    on_throttle: Hook | None = None
    """Called when the service throttles a request; `seconds` is the delay that it requests."""
