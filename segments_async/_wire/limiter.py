"""
The concurrency limit behind the gate: decides which call may be sent, and when.

The limit starts at the capacity. A throttled response halves it, once for all calls that were in flight together.
Successful responses raise it again while calls wait for it. A ``Retry-After`` pauses all calls. `Pace` infers a rate
limit from such responses and spaces the calls that follow. Time is an argument; nothing here waits.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

from segments_async._wire.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._wire.pace import Round

LIMIT_INCREASE = 0.5
"""Added to the limit per successful response: 50 % for each round trip at a full gate."""

TOKENS_PER_CONNECTION = 10
"""Tokens of the retry budget per connection; retries stop when half of them are used."""
TOKENS_PER_SUCCESS = 0.2
"""Tokens that a successful response returns: a service that fails less than one call in six never exhausts them."""


@define(eq=False)
class Ticket:
    """A call's place in the queue and, once it is admitted, its slot."""

    notify: Callable[[], None] = field(repr=False)
    """Called when the call is admitted, and when it reaches the head of the queue and must check again."""
    admitted: bool = False
    epoch: int = 0
    """Number of halvings of the limit before its admission."""
    was_limited: bool = False
    """Whether the limit was reached, or calls were spaced, when this one was admitted."""
    admitted_at: float = -math.inf
    round: Round | None = None
    """The calls it was admitted with."""
    turn_seconds: float = 0.0
    """How long it waited for its turn in a limit that is shared with other processes."""


class Limiter:
    """
    Admit calls, first in first out, up to a limit that adapts to what the service accepts.

    Attributes:
        capacity: Upper bound of the limit.
        limit: Maximum calls in flight now; never below 1.
        in_flight: Calls that were admitted and have not left yet.
        paused_until: End of the pause that the service asked for.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.limit: float = float(capacity)
        self.in_flight: int = 0
        self.paused_until: float = -math.inf
        self._epoch = 0
        self._pace = Pace()
        self._queue: deque[Ticket] = deque()

    @property
    def closed_until(self) -> float:
        """The earliest time for the next call, whatever the number of calls in flight."""
        return max(self.paused_until, self._pace.due)

    def rate(self, now: float) -> float:
        """Return the calls per second allowed now; infinite if no rate limit was detected."""
        return self._pace.rate(now)

    def measured_rate(self, now: float) -> float | None:
        """Return the calls per second that refusals showed; None if they showed none yet."""
        return self._pace.measured(now)

    def forget_rate(self) -> None:
        """Stop spacing calls, and forget what refusals showed, because another limiter spaces them."""
        self._pace = Pace()

    def interrupt(self, until: float) -> None:
        """Admit no call before *until*, because the service asked another process to wait."""
        self._pace.interrupted()
        self.pause(until)

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._queue)

    def is_head(self, ticket: Ticket) -> bool:
        """Return whether *ticket* is next."""
        return bool(self._queue) and self._queue[0] is ticket

    def enter(self, ticket: Ticket, now: float, *, first: bool = False) -> None:
        """Queue *ticket*, at the head if *first* (a retry after throttling), and admit the calls that may go."""
        if first:
            self._queue.appendleft(ticket)
        else:
            self._queue.append(ticket)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Admit the calls that may go. If the next one is not due yet, notify it so that it sleeps until then."""
        while self._queue and self.in_flight < int(self.limit) and now >= self.closed_until:
            ticket = self._queue.popleft()
            self.in_flight += 1
            ticket.admitted = True
            ticket.epoch = self._epoch
            ticket.admitted_at = now
            ticket.round = self._pace.admitted(now)
            ticket.was_limited = self.in_flight >= int(self.limit) or now < self._pace.due
            ticket.notify()
            if self._queue and now < self._pace.due:
                self._queue[0].notify()

    def sent(self, ticket: Ticket, now: float) -> None:
        """Record that a call that was admitted is sent only now; it belongs to the calls that are sent with it."""
        ticket.admitted_at = now
        if ticket.round is not self._pace.round:
            ticket.round = self._pace.admitted(now)

    def withdraw(self, ticket: Ticket, now: float) -> None:
        """Remove a call that was cancelled or timed out in the queue, or just after its admission."""
        if ticket.admitted:
            self._pace.withdrawn()
            self.leave(ticket, now)
            return
        was_head = self.is_head(ticket)
        self._queue.remove(ticket)
        if was_head and self._queue:
            self._queue[0].notify()

    def leave(self, ticket: Ticket, now: float) -> None:
        """Free the slot of a call, whatever its outcome."""
        ticket.admitted = False
        self.in_flight -= 1
        self.advance(now)

    def succeeded(self, ticket: Ticket, now: float) -> None:
        """Raise the limit if it was reached when this call was admitted and was not halved since."""
        if ticket.was_limited and ticket.epoch == self._epoch:
            self.limit = min(float(self.capacity), self.limit + LIMIT_INCREASE)
        if ticket.round is not None:
            self._pace.succeeded(ticket.round, now, ticket.admitted_at)

    def throttled(self, ticket: Ticket, wait: float = 0.0) -> None:
        """
        Halve the limit, unless a call that was in flight at the same time has done so.

        Args:
            ticket: The call that was refused.
            wait: Seconds that the service asked to wait; 0 if it did not say.
        """
        if ticket.epoch == self._epoch:
            self._epoch += 1
            self.limit = max(1.0, self.limit / 2)
        if ticket.round is not None and wait:
            self._pace.refused(ticket.round, wait)

    def pause(self, until: float) -> None:
        """Admit no call before *until*; a pause is never shortened. Notify the next call, which sleeps until then."""
        self.paused_until = max(self.paused_until, until)
        if self._queue:
            self._queue[0].notify()


class Budget:
    """
    Limit the share of retries, so that a failing service is not overloaded (retry throttling of gRPC A6).

    A failure costs one token; a successful response returns `TOKENS_PER_SUCCESS`. Retries stop when half of the tokens
    are used.
    """

    def __init__(self, connections: int) -> None:
        self._capacity = float(TOKENS_PER_CONNECTION * connections)
        self.tokens: float = self._capacity

    @property
    def is_empty(self) -> bool:
        """Whether retries must stop for now."""
        return self.tokens <= self._capacity / 2

    def failed(self) -> None:
        """Take a token for a failure other than throttling or a client error."""
        self.tokens = max(0.0, self.tokens - 1)

    def succeeded(self) -> None:
        """Return part of a token for a successful response."""
        self.tokens = min(self._capacity, self.tokens + TOKENS_PER_SUCCESS)
