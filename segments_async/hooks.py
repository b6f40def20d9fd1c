"""Observe the requests of a client: callbacks, in addition to the logger ``segments_async``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import field, frozen
from attrs.validators import optional

from segments_async._validators import callback

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

    Hooks only observe: an exception raised by a hook is logged with its traceback on the logger ``segments_async``, and
    affects no call. Async functions are refused, as they would never be awaited.

    Example:
        >>> def log(event: CallEvent) -> None:
        ...     print(event.method, event.url, event.status)
        >>> Hooks(on_response=log).on_request is None
        True
    """

    on_request: Hook | None = field(default=None, validator=optional(callback))
    """Called before each request, to the API or to storage."""
    on_response: Hook | None = field(default=None, validator=optional(callback))
    """Called after each response, whatever its status. A lost response is passed to `on_retry`, or raised."""
    on_retry: Hook | None = field(default=None, validator=optional(callback))
    """Called before each retry."""
    on_throttle: Hook | None = field(default=None, validator=optional(callback))
    """Called when the service throttles a request; `seconds` is the delay that it requests."""
