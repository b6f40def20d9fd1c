"""The gate: every call of one key to one host passes here, single or bulk, and waits here if it has to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from segments_async._wire.limiter import Budget, Limiter, Ticket
from segments_async._wire.retry import RETRY_AFTER_JITTER, is_throttled
from segments_async.errors import RateLimitError, RequestTimeoutError, ServerError, TransportError

if TYPE_CHECKING:
    from segments_async.errors import SegmentsError
    from segments_async.settings import Clock

UNAVAILABLE = 503


class Gate:
    """
    Let calls through in order, as many at once as the service bears, and none while it asked for silence.

    Args:
        capacity: Calls in flight at most.
        clock: Where time and chance come from.
    """

    def __init__(self, capacity: int, clock: Clock) -> None:
        self._capacity = capacity
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget everything: nobody is in flight, nobody waits."""
        self.limiter: Limiter = Limiter(self._capacity)
        self.budget: Budget = Budget(self._capacity)

    async def enter(self, *, first: bool = False, max_wait: float = math.inf, longest_hold: float = math.inf) -> Ticket:
        """
        Wait for a turn; every ticket is given back with `leave`.

        Args:
            first: Go before the others, as what was refused before does.
            max_wait: Seconds to wait at most.
            longest_hold: Seconds that the service's silence may last at most.

        Raises:
            RateLimitError: The service asked for a longer silence; `retry_after` says how long.
            RequestTimeoutError: No turn came within *max_wait*.
        """
        now = self._clock.monotonic()
        ticket = Ticket(_nobody)
        self.limiter.enter(ticket, now, first=first)
        if not ticket.admitted:
            try:
                self._check_hold(now, min(max_wait, longest_hold))
                await self._wait(ticket, max_wait)
            except BaseException:
                self.limiter.withdraw(ticket, self._clock.monotonic())
                raise
        return ticket

    @property
    def rate(self) -> float | None:
        """Calls a second that may go now, if the service was seen to limit them so."""
        rate = self.limiter.rate(self._clock.monotonic())
        return None if rate == math.inf else rate

    def leave(self, ticket: Ticket) -> None:
        """Give the turn to the next."""
        self.limiter.leave(ticket, self._clock.monotonic())

    def succeeded(self, ticket: Ticket) -> None:
        """Note a good answer."""
        self.limiter.succeeded(ticket, self._clock.monotonic())
        self.budget.succeeded()

    def failed(self, ticket: Ticket, error: SegmentsError) -> None:
        """
        Note what went wrong.

        A refusal narrows the gate, and closes it for as long as the service asks, stretched a little at random so
        that clients do not come back in one instant. What the service had no good reason for costs budget.
        """
        if is_throttled(error):
            asked = getattr(error, "retry_after", None) or 0.0
            # A 503 tells of an outage, not of a rate.
            self.limiter.throttled(ticket, asked if isinstance(error, RateLimitError) else 0.0)
            if asked:
                self.limiter.hold(self._clock.monotonic() + asked * (1 + RETRY_AFTER_JITTER * self._clock.random()))
        elif isinstance(error, ServerError | TransportError):
            if isinstance(error, ServerError) and error.status == UNAVAILABLE:
                self.limiter.throttled(ticket)
            self.budget.failed()
        else:
            self.succeeded(ticket)

    def _check_hold(self, now: float, longest: float) -> None:
        held = self.limiter.held_until - now
        if held > longest:
            words = f"not sent: the service asked to wait for another {held:.3g} s"
            raise RateLimitError(detail=words, retry_after=held)

    async def _wait(self, ticket: Ticket, max_wait: float) -> None:
        try:
            with anyio.fail_after(None if max_wait == math.inf else max_wait):
                while not ticket.admitted:
                    await self._wait_for_change(ticket)
        except TimeoutError:
            raise RequestTimeoutError(
                f"not sent: {self.limiter.in_flight} calls were in flight for {max_wait:g} s", sent=False
            ) from None

    async def _wait_for_change(self, ticket: Ticket) -> None:
        """Wait until it may go; the one at the head watches for the time when it may, for all."""
        closed = self.limiter.closed_until - self._clock.monotonic()
        if closed > 0 and self.limiter.is_head(ticket):
            await self._clock.sleep(closed)
            self.limiter.advance(self._clock.monotonic())
        else:
            changed = anyio.Event()
            ticket.notify = changed.set
            await changed.wait()


def _nobody() -> None:
    """Nobody waits yet."""
