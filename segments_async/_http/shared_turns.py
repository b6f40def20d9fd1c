"""Turns of a limiter that several processes share, for the calls of one gate."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

import anyio

from segments_async._caller_errors import describe
from segments_async._validators import is_count, is_number
from segments_async._wire.shared_rate import ASK_AGAIN_SECONDS, Turns
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async._wire.limiter import Limiter
    from segments_async.limits import SharedLimiter
    from segments_async.settings import Clock

T = TypeVar("T")

logger = logging.getLogger("segments_async")

FRESH_SECONDS = 0.05
"""A turn is used only if the limiter was asked at most this long ago whether calls must wait."""
ANSWER_SECONDS = 1.0
"""Maximum seconds that the limiter takes to answer; then it cannot be reached."""
ALONE_SECONDS = 5.0
"""Seconds before a limiter that could not be reached is asked again."""
QUIET_SECONDS = 60.0
"""Seconds without a failure after which the next one is worth another warning."""
IDLE_SECONDS = 3.0
"""Seconds without a question after which another client of this process may measure instead."""


class SharedTurns:
    """
    Give calls their turns, in the order in which they ask; one question to the limiter serves many of them.

    Args:
        limiter: The limiter.
        key: The name under which the limiter knows the service and the API key.
        own: The gate's own limiter, which spaces calls when the shared one cannot be reached, or lets it measure.
        clock: The source of time.
    """

    def __init__(self, limiter: SharedLimiter, key: str, own: Limiter, clock: Clock) -> None:
        self._limiter = limiter
        self._key = key
        self._own = own
        self._clock = clock
        self._lock = anyio.Lock()
        self._wanted = 0
        """Calls that ask for a turn now."""
        self._left = 0
        """Turns of the last answer that were not used."""
        self._next_at = -math.inf
        self._spacing = 0.0
        self.asked_at = -math.inf
        self._alone_until = -math.inf
        self._is_lost = False
        """Whether a warning says that the limiter cannot be reached."""
        self._is_measuring = False

    async def take(self) -> bool:
        """Wait for a turn; return False if calls must wait meanwhile, which the gate's own limiter then enforces."""
        self._wanted += 1
        try:
            async with self._lock:
                return await self._take()
        finally:
            self._wanted -= 1
            if self._left and not self._wanted:
                await self._give_back()

    async def _take(self) -> bool:
        if self._own.paused_until > self._clock.monotonic():
            return False
        if not self._left and not await self._ask_for_turns():
            return False
        await self._sleep_until(self._next_at)
        if not await self._is_still_valid():
            self._left = 0
            return False
        self._left -= 1
        self._next_at += self._spacing
        return True

    async def refused(self, seconds: float) -> None:
        """Tell the limiter that the service asked to wait for *seconds*."""
        self._left = 0
        if not self._is_alone:
            await self._reach(lambda: self._limiter.refused(self._key, seconds))

    @property
    def _is_alone(self) -> bool:
        return self._clock.monotonic() < self._alone_until

    async def _ask_for_turns(self) -> bool:
        turns = await self._reserve(self._wanted)
        if turns.calls < 1:
            self._pause(max(turns.wait, FRESH_SECONDS))
            return False
        self._left = turns.calls
        self._next_at = self._clock.monotonic() + turns.wait
        self._spacing = turns.spacing
        return True

    async def _is_still_valid(self) -> bool:
        """Return whether the next turn may be used: no process was asked to wait since it was given."""
        if self._clock.monotonic() - self.asked_at <= FRESH_SECONDS:
            return True
        turns = await self._reserve(0)
        self._pause(turns.wait)
        return not turns.wait

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._own.pause(self._clock.monotonic() + seconds)

    async def _reserve(self, most: int) -> Turns:
        turns = None
        if not self._is_alone:
            await self._report_rate()
            turns = await self._reach(lambda: self._ask(most))
        self.asked_at = self._clock.monotonic()
        if turns is None:
            self._is_measuring = False
            return Turns(most)
        if turns.measure and not self._may_measure():
            return Turns(0, ASK_AGAIN_SECONDS)
        if turns.calls:
            if not (turns.measure and self._is_measuring):
                self._own.forget_rate()
            self._is_measuring = turns.measure
        return turns

    async def _ask(self, most: int) -> Turns:
        return _checked(Turns(*await self._limiter.reserve(self._key, most)))

    def _may_measure(self) -> bool:
        """Return whether no other client of this process measures: a limiter knows processes only."""
        place = (id(self._limiter), self._key)
        holder = _measuring.get(place, self)
        if holder is not self and holder.asked_at > self._clock.monotonic() - IDLE_SECONDS:
            return False
        _measuring[place] = self
        return True

    async def _report_rate(self) -> None:
        """Tell the limiter the rate that this process measured, if it was asked to."""
        rate = self._own.measured_rate(self._clock.monotonic()) if self._is_measuring else None
        if rate is not None:
            self._is_measuring = False
            await self._reach(lambda: self._limiter.learned(self._key, rate))

    async def _give_back(self) -> None:
        count, self._left = self._left, 0
        if not self._spacing or self._is_alone:
            return
        with anyio.CancelScope(shield=True):  # a cancelled call gives its turn back, too
            await self._reach(lambda: self._limiter.give_back(self._key, count))

    async def _reach(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the limiter; return None, and continue without it for some time, if it cannot be reached."""
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                answer = await call()
        except InputError:  # it cannot work here, for example on trio
            raise
        except Exception as error:  # noqa: BLE001 (a limiter is an aid; its failures must not stop a call)
            if not self._is_lost:
                logger.warning("the shared limiter cannot be reached; this client uses its own: %s", describe(error))
            self._is_lost = True
            self._alone_until = self._clock.monotonic() + ALONE_SECONDS
            return None
        if self._clock.monotonic() > self._alone_until + QUIET_SECONDS:
            self._is_lost = False
        return answer

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
