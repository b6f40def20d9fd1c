"""
Who may send, and when: the core of the gate. Time is an argument; nothing here waits.

The limit starts at the capacity. A throttled answer halves it, once for all calls that were on their way together;
good answers widen it again while calls are held back. A wait that the service names holds everybody back; what
such waits tell of a limit by rate spaces the calls that follow.
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

WIDEN = 0.5
"""A good answer widens the limit by so much, which is half as much again for each round trip of a full gate."""

BUDGET_PER_CONNECTION = 10
"""Failures the budget holds for each connection; with half of them used up, it is empty."""
REFUND = 0.2
"""What a good answer gives back: a service that fails less than one call in six never empties the budget."""


@define(eq=False)
class Ticket:
    """A call's place in the queue, and then its admission."""

    admit: Callable[[], None] = field(repr=False)
    """Called when it may go, or when it is to look again because it came to the head of the queue."""
    admitted: bool = False
    epoch: int = 0
    """Which halvings its admission came after."""
    held_back: bool = False
    """Whether the limit was what it waited for, or had been reached when it went, or calls are spaced."""
    went: float = -math.inf
    """When it was admitted."""
    round: Round | None = None
    """Which calls it went with."""


class Limiter:
    """
    Admit calls, first come first served, up to a limit that follows what the service bears.

    Attributes:
        capacity: The most calls in flight, ever.
        limit: The most calls in flight now; never below 1.
        in_flight: Calls admitted and not yet returned.
        held_until: The service asked for silence until then.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.limit: float = float(capacity)
        self.in_flight: int = 0
        self.held_until: float = -math.inf
        self._epoch = 0
        self._pace = Pace()
        self._queue: deque[Ticket] = deque()

    @property
    def closed_until(self) -> float:
        """When the next may go, as far as time is what it waits for."""
        return max(self.held_until, self._pace.due)

    def rate(self, now: float) -> float:
        """Calls a second that may go now; infinite unless the service was seen to limit them so."""
        return self._pace.rate(now)

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._queue)

    def is_head(self, ticket: Ticket) -> bool:
        """Whether *ticket* is next."""
        return bool(self._queue) and self._queue[0] is ticket

    def enter(self, ticket: Ticket, now: float, *, first: bool = False) -> None:
        """Queue *ticket*, at the head if it was refused before, and admit whoever may go."""
        if first:
            self._queue.appendleft(ticket)
        else:
            self._queue.append(ticket)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Admit whoever may go. If it is not time for the next one yet, that is told, to watch for it."""
        while self._queue and self.in_flight < int(self.limit) and now >= self.closed_until:
            ticket = self._queue.popleft()
            self.in_flight += 1
            ticket.admitted = True
            ticket.epoch = self._epoch
            ticket.went = now
            ticket.round = self._pace.admitted(now)
            ticket.held_back = self.in_flight >= int(self.limit) or now < self._pace.due
            ticket.admit()
            if self._queue and now < self._pace.due:
                self._queue[0].admit()

    def withdraw(self, ticket: Ticket, now: float) -> None:
        """Forget a call that gave up, whether it still waited or was just admitted."""
        if ticket.admitted:
            self._pace.withdrawn()
            self.leave(ticket, now)
            return
        was_head = self.is_head(ticket)
        self._queue.remove(ticket)
        if was_head and self._queue:
            self._queue[0].admit()

    def leave(self, ticket: Ticket, now: float) -> None:
        """Return a place, whatever became of the call."""
        ticket.admitted = False
        self.in_flight -= 1
        self.advance(now)

    def succeeded(self, ticket: Ticket, now: float) -> None:
        """Widen the limit, if calls were held back when this one went and no halving came after."""
        if ticket.held_back and ticket.epoch == self._epoch:
            self.limit = min(float(self.capacity), self.limit + WIDEN)
        if ticket.round is not None:
            self._pace.succeeded(ticket.round, now, ticket.went)

    def throttled(self, ticket: Ticket, wait: float = 0.0) -> None:
        """
        Halve the limit, unless a call that was on its way at the same time has done so.

        Args:
            ticket: The call that was refused.
            wait: Seconds that the service named; 0 if it named none.
        """
        if ticket.epoch == self._epoch:
            self._epoch += 1
            self.limit = max(1.0, self.limit / 2)
        if ticket.round is not None and wait:
            self._pace.refused(ticket.round, wait)

    def hold(self, until: float) -> None:
        """Admit nobody before *until*; a hold is never shortened. Whoever is next is told, to watch for its end."""
        self.held_until = max(self.held_until, until)
        if self._queue:
            self._queue[0].admit()


class Budget:
    """
    Limit what share of calls may be repeats, so that a broken service is not hammered (gRPC A6).

    A failure costs one token and a good answer gives back `REFUND`; with half of the tokens gone, it is empty.
    """

    def __init__(self, connections: int) -> None:
        self._capacity = float(BUDGET_PER_CONNECTION * connections)
        self.tokens: float = self._capacity

    @property
    def is_empty(self) -> bool:
        """Whether no more should be repeated for now."""
        return self.tokens <= self._capacity / 2

    def failed(self) -> None:
        """Pay for a failure that the service had no good reason for."""
        self.tokens = max(0.0, self.tokens - 1)

    def succeeded(self) -> None:
        """Get something back for a good answer."""
        self.tokens = min(self._capacity, self.tokens + REFUND)
