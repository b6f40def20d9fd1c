"""The gate that every call passes: it limits concurrency and applies waits, for all calls of one key together."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from segments_async._counting import counted
from segments_async._http.shared_turns import SharedTurns
from segments_async._wire.limiter import Budget, Limiter, Ticket
from segments_async._wire.retry import RETRY_AFTER_JITTER, is_throttled
from segments_async._wire.shared_rate import MAX_WAIT_TO_MEASURE
from segments_async.errors import RateLimitError, RequestTimeoutError, ServerError, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments_async.errors import SegmentsError
    from segments_async.limits import SharedLimiter
    from segments_async.settings import Clock

UNAVAILABLE = 503
MAX_PAUSE = 900.0
"""Maximum seconds that all calls wait because the service asked for it; a longer wait may be a mistake."""
_NO_TURN = "the shared limiter gave it no turn"


class Gate:
    """
    Limit the calls in flight to what the service accepts, in first-in first-out order, and pause on ``Retry-After``.

    Args:
        capacity: Maximum calls in flight.
        clock: The source of time and randomness.
        shared: A limiter that other processes use too, and its name for this gate; None if there is none.
    """

    def __init__(self, capacity: int, clock: Clock, shared: tuple[SharedLimiter, str] | None = None) -> None:
        self._capacity = capacity
        self._clock = clock
        self._shared = shared
        self.reset()

    def reset(self) -> None:
        """Start from the initial state, with no call in flight or waiting."""
        self.limiter: Limiter = Limiter(self._capacity)
        self.budget: Budget = Budget(self._capacity)
        self._turns = self._shared and SharedTurns(*self._shared, self.limiter, self._clock)

    @property
    def is_idle(self) -> bool:
        """Whether a new gate would behave in the same way."""
        limiter = self.limiter
        is_free = not limiter.in_flight and not limiter.waiting and limiter.limit == self._capacity
        return is_free and limiter.closed_until <= self._clock.monotonic() and not self.budget.is_empty

    async def enter(
        self,
        *,
        first: bool = False,
        max_wait: float = math.inf,
        max_pause: float = math.inf,
        max_turn: float = math.inf,
    ) -> Ticket:
        """
        Wait for a slot. Return the ticket with `leave`.

        Args:
            first: Go to the head of the queue, for a retry after throttling.
            max_wait: Maximum seconds to wait.
            max_pause: Maximum seconds of a pause that the service asked for.
            max_turn: Maximum seconds to wait for a turn of the shared limiter.

        Raises:
            RateLimitError: The service asked for a longer pause, or the turn is further away; `retry_after` has the
                seconds that are left.
            RequestTimeoutError: No slot became free within *max_wait*.
        """
        if self._turns is not None:
            return await self._enter_shared(self._turns, first, max_wait, max_pause, max_turn)
        ticket = self._queue(first)
        if not ticket.admitted:
            await self._wait(ticket, max_wait, max_pause)
        return ticket

    def _queue(self, first: bool) -> Ticket:  # noqa: FBT001
        ticket = Ticket(_ignore)
        self.limiter.enter(ticket, self._clock.monotonic(), first=first)
        return ticket

    async def _enter_shared(
        self,
        turns: SharedTurns,
        first: bool,  # noqa: FBT001
        max_wait: float,
        max_pause: float,
        max_turn: float,
    ) -> Ticket:
        """Wait for a slot of this process, and then for a turn among all processes."""
        started = self._clock.monotonic()
        first_asked = None
        while True:
            ticket = self._queue(first)
            if not ticket.admitted:
                await self._wait(ticket, max_wait - (self._clock.monotonic() - started), max_pause)
            has_turn = False
            asked = self._clock.monotonic()
            first_asked = asked if first_asked is None else first_asked
            turn_left = max_turn - (asked - first_asked)
            try:
                if turn_left < 0:
                    raise RequestTimeoutError(f"not sent: {_NO_TURN} within {max_turn:.3g} s", sent=False)
                remaining = max_wait - (asked - started)
                with self._at_most(remaining, f"{_NO_TURN} within {max_wait:g} s"):
                    has_turn = await turns.take(min(remaining, turn_left))
            finally:
                if not has_turn:
                    self.limiter.withdraw(ticket, self._clock.monotonic())
            if has_turn:
                now = self._clock.monotonic()
                ticket.turn_seconds = now - asked
                self.limiter.sent(ticket, now)
                return ticket
            first = True  # it has waited longer than later calls

    @property
    def rate(self) -> float | None:
        """Calls per second allowed now; None if no rate limit was detected."""
        rate = self.limiter.rate(self._clock.monotonic())
        return None if rate == math.inf else rate

    def leave(self, ticket: Ticket) -> None:
        """Free the slot."""
        self.limiter.leave(ticket, self._clock.monotonic())

    def succeeded(self, ticket: Ticket) -> None:
        """Record a successful response."""
        self.limiter.succeeded(ticket, self._clock.monotonic())
        self.budget.succeeded()

    def failed(self, ticket: Ticket, error: SegmentsError) -> None:
        """
        Record a failure.

        Throttling lowers the limit and pauses all calls for as long as the service asks, plus some jitter so that
        clients do not retry all at once. A server or transport error takes a token of the retry budget.
        """
        if is_throttled(error):
            wait = getattr(error, "retry_after", None) or 0.0
            # A 503 means an outage and says nothing about a rate limit.
            self.limiter.throttled(ticket, wait if isinstance(error, RateLimitError) else 0.0)
            if wait > MAX_PAUSE:
                wait = MAX_PAUSE
                self.limiter.limit = 1.0  # then one call tries
            if wait:
                self.limiter.pause(self._clock.monotonic() + wait * (1 + RETRY_AFTER_JITTER * self._clock.random()))
        elif isinstance(error, ServerError | TransportError):
            if isinstance(error, ServerError) and error.status == UNAVAILABLE:
                self.limiter.throttled(ticket)
            self.budget.failed()
        else:
            self.succeeded(ticket)

    async def notify_others(self, error: SegmentsError, at_most: float) -> None:
        """
        Tell the other processes, within *at_most* seconds, that a call failed because the service asked to wait.

        Short waits of a 503 are not reported: they are not caused by a rate limit, and would be mistaken for one.
        """
        wait = self.limiter.paused_until - self._clock.monotonic()
        is_reported = isinstance(error, RateLimitError) or (is_throttled(error) and wait > MAX_WAIT_TO_MEASURE)
        if self._turns is not None and is_reported and wait > 0:
            await self._turns.refused(wait, at_most)

    def _check_pause(self, max_pause: float) -> None:
        remaining = self.limiter.paused_until - self._clock.monotonic()
        if remaining > max_pause:
            detail = f"not sent: the service asked to wait for another {remaining:.3g} s"
            raise RateLimitError(detail=detail, retry_after=remaining)

    async def _wait(self, ticket: Ticket, max_wait: float, max_pause: float) -> None:
        """Wait for a slot of this process."""
        try:
            with self._at_most(max_wait, f"{counted(self.limiter.in_flight, 'call')} in flight for {max_wait:g} s"):
                while not ticket.admitted:
                    self._check_pause(min(max_wait, max_pause))  # each time, as another call may be refused meanwhile
                    await self._wait_for_change(ticket)
        except BaseException:
            self.limiter.withdraw(ticket, self._clock.monotonic())
            raise

    @contextmanager
    def _at_most(self, seconds: float, reason: str) -> Iterator[None]:
        try:
            with anyio.fail_after(None if seconds == math.inf else max(0.0, seconds)):
                yield
        except RequestTimeoutError:
            raise
        except TimeoutError:
            raise RequestTimeoutError(f"not sent: {reason}", sent=False) from None

    async def _wait_for_change(self, ticket: Ticket) -> None:
        """Wait until the call is notified. The call at the head of the queue sleeps until the next one is due."""
        closed = self.limiter.closed_until - self._clock.monotonic()
        if closed > 0 and self.limiter.is_head(ticket):
            await self._clock.sleep(closed)
            self.limiter.advance(self._clock.monotonic())
        else:
            changed = anyio.Event()
            ticket.notify = changed.set
            await changed.wait()


def _ignore() -> None:
    """Ignore a notification: the call is not waiting yet."""
