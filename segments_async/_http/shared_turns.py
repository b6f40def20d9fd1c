"""Turns of a limiter that several processes share, for the calls of one gate."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import anyio

from segments_async._http.shared_access import SharedAccess
from segments_async._validators import is_count, is_number
from segments_async._wire.shared_rate import ASK_AGAIN_SECONDS, Turns
from segments_async.errors import RateLimitError, RequestTimeoutError

if TYPE_CHECKING:
    from segments_async._wire.limiter import Limiter
    from segments_async.limits import SharedLimiter
    from segments_async.settings import Clock

FRESH_SECONDS = 0.05
"""A turn is used only if the limiter was asked at most this long ago, and the time of its answer, whether to wait."""
MAX_LEAD_SECONDS = 0.25
"""Maximum seconds by which the limiter is asked early because its answers take time."""
MEASURING_SECONDS = 0.5
"""Seconds without an answer for which a process sends while it measures; it asks again after half of them."""
IDLE_SECONDS = 3.0
"""Seconds after which a client that measures, but asks no more, leaves that to another one of this process."""
GIVE_BACK_SECONDS = 0.5
"""Maximum seconds by which giving turns back delays a call that fails, or is cancelled."""
MIN_REPORT_SECONDS = 0.1
"""Seconds to report a refusal, also of a call that has no time left."""
LATE_SECONDS = 0.1
"""A turn that nobody took by then is given back; a client that asks by then is busy."""


class SharedTurns:
    """
    Give calls their turns, in the order in which they ask; one question to the limiter serves many of them.

    Args:
        limiter: The limiter.
        key: The name under which the limiter knows the service and the API key.
        own: The gate's own limiter, which spaces calls when the shared one cannot be used, or lets it measure.
        clock: The source of time.
    """

    def __init__(self, limiter: SharedLimiter, key: str, own: Limiter, clock: Clock) -> None:
        self._limiter = limiter
        self._key = key
        self._own = own
        self._clock = clock
        self._asking = anyio.Lock()
        self._checking = anyio.Lock()
        self._wanted = 0
        """Calls that have no turn yet."""
        self._due: deque[float] = deque()
        """When the turns are that no call has yet."""
        self._last_due = -math.inf
        self._given = 0
        """Turns of the last answer."""
        self._spacing = 0.0
        self.asked_at = -math.inf
        """When the last question was asked that was answered."""
        self._lead = 0.0
        """Seconds that an answer takes."""
        self._access = SharedAccess(clock)
        self._is_measuring = False

    async def take(self, at_most: float = math.inf) -> bool:
        """
        Wait for a turn; return False if calls must wait meanwhile, as the gate's own limiter then knows.

        Raises:
            RateLimitError: The turn is more than *at_most* seconds away.
            RequestTimeoutError: The limiter did not answer within *at_most* seconds.
        """
        due = None
        is_used = False
        started = self._clock.monotonic()
        try:
            due = await self._next_due(at_most)
            if due is None:
                return False
            left = at_most - (self._clock.monotonic() - started)
            self._check_wait(due, left)
            is_used = await self._wait_for(due, left)
            return is_used
        finally:
            if due is not None and not is_used and not self._is_paused:
                self._due.appendleft(due)
            if self._due and not self._wanted and not self._is_busy:
                await self._give_back()

    async def _next_due(self, at_most: float) -> float | None:
        """Return the time of the next turn; one question at a time, so that all processes get their turns."""
        if self._needs_no_turn and not self._due:
            return self._clock.monotonic()
        started = self._clock.monotonic()
        self._wanted += 1
        try:
            self._check_last_turn(at_most)  # who has the lock may sleep until then
            async with self._asking:
                if self._is_paused:
                    return None
                await self._give_late_ones_back()
                if not self._due:
                    self._check_last_turn(at_most - (self._clock.monotonic() - started))
                    await self._sleep_until(self._last_due - self._lead)
                if not self._due and (self._is_paused or not await self._ask_for_turns(at_most)):
                    return None
                return self._due.popleft()
        finally:
            self._wanted -= 1

    @property
    def _needs_no_turn(self) -> bool:
        """Whether calls go without a question: no other process sends while this one measures, or it is alone."""
        age = self._clock.monotonic() - self.asked_at
        is_measuring = self._is_measuring and not self._is_paused
        is_known = age < MEASURING_SECONDS / 2 or (age < MEASURING_SECONDS and self._asking.locked())
        return self._access.is_alone or (is_measuring and is_known)

    def _check_last_turn(self, at_most: float) -> None:
        """Check that the next question, which is asked when the last turn is due, is not too far away."""
        if not self._due:
            self._check_wait(self._last_due - self._lead, at_most)

    def _check_wait(self, due: float, at_most: float) -> None:
        seconds = due - self._clock.monotonic()
        if seconds > max(0.0, at_most):
            detail = f"not sent: its turn in the shared limit is in {seconds:.3g} s"
            raise RateLimitError(detail=detail, retry_after=seconds)

    async def _wait_for(self, due: float, at_most: float) -> bool:
        """Wait for a turn; return False if a process was asked to wait since it was given."""
        await self._sleep_until(due - self._lead)
        if not self._needs_no_turn:
            await self._check_for_waits(due, at_most)
        await self._sleep_until(due)
        return not self._is_paused

    async def _check_for_waits(self, due: float, at_most: float) -> None:
        async with self._checking:  # the others use the answer
            if max(due, self._clock.monotonic()) - self.asked_at > FRESH_SECONDS + self._lead:
                turns = await self._reserve(0, at_most)
                self._pause(turns.wait)

    async def refused(self, seconds: float, at_most: float) -> None:
        """Tell the limiter that the service asked to wait for *seconds*; the call has *at_most* seconds left."""
        self._forget_turns()
        if not self._access.is_alone:
            at_most = max(MIN_REPORT_SECONDS, at_most)
            await self._access.ask(lambda: self._limiter.refused(self._key, seconds), at_most)

    @property
    def _is_paused(self) -> bool:
        return self._own.paused_until > self._clock.monotonic()

    @property
    def _is_busy(self) -> bool:
        """Whether other calls follow those that are in flight."""
        return self._own.in_flight >= int(self._own.limit)

    async def _ask_for_turns(self, at_most: float) -> bool:
        """Ask for the turns of the calls that want one; a busy client, which used up the last ones, gets more."""
        most = self._wanted
        if self._is_busy and self._clock.monotonic() <= self._last_due + LATE_SECONDS:
            most = max(most, 2 * self._given)
        turns = await self._reserve(most, at_most)
        if turns.calls < 1:
            self._pause(max(turns.wait, FRESH_SECONDS))
            return False
        self._given = turns.calls
        self._spacing = turns.spacing
        first = self._clock.monotonic() + turns.wait
        self._due.extend(first + number * turns.spacing for number in range(turns.calls))
        self._last_due = self._due[-1]
        return True

    def _forget_turns(self) -> None:
        self._due.clear()
        self._last_due = -math.inf

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._forget_turns()
            self._own.interrupt(self._clock.monotonic() + seconds)

    async def _reserve(self, most: int, at_most: float) -> Turns:
        turns = None
        if not self._access.is_alone:
            await self._report_rate(at_most)
            started = self._clock.monotonic()
            turns = await self._access.ask(lambda: self._ask(most), at_most)
            self._note_answer(started)
        if turns is None:
            self.asked_at = self._clock.monotonic()
            self._is_measuring = False
            if not self._access.is_alone:
                raise RequestTimeoutError(
                    f"not sent: the shared limiter did not answer within {at_most:.3g} s", sent=False
                )
            return Turns(most)
        if turns.measure and not self._may_measure():
            return Turns(0, ASK_AGAIN_SECONDS)
        if turns.calls:
            if not (turns.measure and self._is_measuring):
                self._own.forget_rate()
            self._is_measuring = turns.measure
        return turns

    def _note_answer(self, started: float) -> None:
        seconds = self._clock.monotonic() - started
        known = self._lead or seconds
        self._lead = min(MAX_LEAD_SECONDS, (3 * known + seconds) / 4)
        self.asked_at = started

    async def _ask(self, most: int) -> Turns:
        turns = _checked(Turns(*await self._limiter.reserve(self._key, most)))
        return turns._replace(calls=min(turns.calls, most))

    def _may_measure(self) -> bool:
        """Return whether no other client of this process measures: a limiter knows processes only."""
        place = (id(self._limiter), self._key)
        holder = _measuring.get(place, self)
        if holder is not self and holder.asked_at > self._clock.monotonic() - IDLE_SECONDS:
            return False
        _measuring[place] = self
        return True

    async def _report_rate(self, at_most: float) -> None:
        """Tell the limiter the rate that this process measured, if it was asked to."""
        rate = self._own.measured_rate(self._clock.monotonic()) if self._is_measuring else None
        if rate is not None:
            self._is_measuring = False
            await self._access.ask(lambda: self._limiter.learned(self._key, rate), at_most)

    async def _give_late_ones_back(self) -> None:
        """Give back the turns that a busy client asked for, and could not use."""
        late = [due for due in self._due if due < self._clock.monotonic() - LATE_SECONDS]
        if late and self._spacing:
            self._given = max(1, self._given - len(late))
            await self._give_back(len(late))
        elif late:
            self._due.clear()

    async def _give_back(self, count: int | None = None) -> None:
        count = len(self._due) if count is None else count
        for _ in range(count):
            self._due.popleft()
        if not self._spacing or self._access.is_alone:
            return
        with anyio.CancelScope(shield=True):  # a cancelled call gives its turn back, too
            await self._access.ask(lambda: self._limiter.give_back(self._key, count), GIVE_BACK_SECONDS)

    async def _sleep_until(self, time: float) -> None:
        seconds = time - self._clock.monotonic()
        if seconds > 0:
            await self._clock.sleep(seconds)


_measuring: WeakValueDictionary[tuple[int, str], SharedTurns] = WeakValueDictionary()
"""The client that measures, for each limiter and key; it keeps the limiter, so that the identity is not reused."""


def _checked(turns: Turns) -> Turns:
    """Return *turns*; raise ValueError if a call could not follow them."""
    is_valid = is_count(turns.calls) and turns.calls >= 0
    if not is_valid or not all(is_number(seconds) and 0 <= seconds < math.inf for seconds in turns[1:3]):
        raise ValueError(f"its answer is {turns!r}")
    return turns
