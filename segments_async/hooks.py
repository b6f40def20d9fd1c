"""Looking on while a client works: plain functions of yours, and the logger ``segments_async``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from segments_async.errors import SegmentsError


@frozen(kw_only=True)
class CallEvent:
    """What a hook is told. Nothing in it is secret: no key, no body, no signature of a presigned URL."""

    method: str
    """Such as ``"GET"``."""
    url: str
    """Without the signature of a presigned one."""
    status: int | None = None
    """Of the answer; None where there is none."""
    request_id: str | None = None
    """Of the answer."""
    seconds: float | None = None
    """How long the answer took; before a repeat, how long is waited."""
    attempt: int | None = None
    """Before a repeat: how often the request was sent so far."""
    error: SegmentsError | None = None
    """Before a repeat: what went wrong."""


Hook = Callable[[CallEvent], object]


@frozen(kw_only=True)
class Hooks:
    """
    Functions that are called while a client works, in its event loop, so they must be quick.

    What a hook raises comes out of the call it was told of.

    Example:
        >>> def tell(event: CallEvent) -> None:
        ...     print(event.method, event.url, event.status)
        >>> Hooks(on_response=tell).on_request is None
        True
    """

    on_request: Hook | None = None
    """Before each request, to the API or to storage."""
    on_response: Hook | None = None
    """After each answer, whatever its status; a lost one is seen by `on_retry`, or raised."""
    on_retry: Hook | None = None
    """Before each repeat."""
    on_throttle: Hook | None = None
    """When the service refuses a request as one too many; `seconds` is the silence it asks for."""
