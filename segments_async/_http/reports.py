"""Tell hooks, the log and the totals of a client about each request, without secrets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from weakref import WeakSet

from attrs import Factory, define

from segments_async._http.exchange import Exchange
from segments_async._logging import log_safely
from segments_async._wire.replies import redact_urls, request_id_in
from segments_async.hooks import CallEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async._wire.redaction import KeyRedactor
    from segments_async.errors import SegmentsError, TransportError
    from segments_async.hooks import Hook, Hooks
    from segments_async.settings import Clock

logger = logging.getLogger("segments_async")


@define
class Counters:
    """Totals; see `Stats`."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


@define(eq=False)
class SentCall:
    """One request of a call."""

    method: str
    url: str
    """Without secrets."""
    started: float
    exchange: Exchange = Factory(Exchange)

    @property
    def was_sent(self) -> bool | None:
        """Whether bytes of the request may have left; None if the transport does not say."""
        return self.exchange.sent


class Reports:
    """
    What is told about the requests of a pool.

    Args:
        clock: The source of time.
        hooks: Functions of the caller.

    Attributes:
        counts: The totals.
    """

    def __init__(self, clock: Clock, hooks: Hooks) -> None:
        self._clock = clock
        self._hooks = hooks
        self._redactors: WeakSet[KeyRedactor] = WeakSet()
        self.counts: Counters = Counters()

    def register(self, redactor: KeyRedactor) -> None:
        """Remove the key of a session from everything that hooks receive."""
        self._redactors.add(redactor)

    def redact(self, text: str | None) -> str | None:
        """Remove the keys of all sessions from *text*, which comes from a response."""
        for redactor in self._redactors:
            text = redactor.redact_text(text)
        return text

    def mask(self, text: str) -> str:
        """Remove the keys of all sessions, and the signatures of URLs, from a message."""
        return redact_urls(self.redact(text) or "")

    def notify_request(self, method: str, url: str, size: int) -> SentCall:
        """Count a request whose body has *size* bytes, and call the hook."""
        call = SentCall(method, url, self._clock.monotonic())
        self.counts.requests += 1
        self.counts.bytes_sent += size
        if self._hooks.on_request is not None:
            _notify(self._hooks.on_request, CallEvent(method=method, url=url))
        return call

    def notify_response(self, call: SentCall, status: int, headers: Mapping[str, str]) -> None:
        """Log a response, and call the hook."""
        is_logged = logger.isEnabledFor(logging.DEBUG)
        if not is_logged and self._hooks.on_response is None:
            return
        seconds = self._clock.monotonic() - call.started
        if is_logged:
            log_safely(logger, logging.DEBUG, "%s %s: %d in %.3f s", call.method, call.url, status, seconds)
        if self._hooks.on_response is not None:
            event = CallEvent(
                method=call.method,
                url=call.url,
                status=status,
                request_id=self.redact(request_id_in(headers)),
                seconds=seconds,
            )
            _notify(self._hooks.on_response, event)

    def log_failure(self, error: TransportError, call: SentCall) -> None:
        """Log that a request got no complete response."""
        log_safely(logger, logging.DEBUG, "%s; after %.3f s", error, self._clock.monotonic() - call.started)

    def notify_throttle(self, error: SegmentsError) -> None:
        """Count a throttled request and call the hook."""
        self.counts.throttled += 1
        if self._hooks.on_throttle is not None:
            _notify(self._hooks.on_throttle, _event_of(error, seconds=getattr(error, "retry_after", None)))

    def notify_retry(self, error: SegmentsError, *, attempt: int, seconds: float) -> None:
        """Log that a request is retried in *seconds*, after *attempt* attempts, and call the hook."""
        log_safely(logger, logging.INFO, "%s; attempt %d is next, in %.3g s", error, attempt + 1, seconds)
        if self._hooks.on_retry is not None:
            _notify(self._hooks.on_retry, _event_of(error, attempt=attempt, seconds=seconds))


def _notify(hook: Hook, event: CallEvent) -> None:
    """Call a hook; what it raises must not affect the call."""
    try:
        hook(event)
    except Exception:  # noqa: BLE001 (logged)
        log_safely(logger, logging.ERROR, "a hook raised; the call continues", exc_info=True)


def _event_of(error: SegmentsError, *, attempt: int | None = None, seconds: float | None) -> CallEvent:
    return CallEvent(
        method=getattr(error, "method", None) or "",
        url=getattr(error, "url", None) or "",
        status=getattr(error, "status", None),
        request_id=getattr(error, "request_id", None),
        attempt=attempt,
        seconds=seconds,
        error=error,
    )
