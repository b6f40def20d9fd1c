"""Helpers for tests of code that uses this package; ``docs/testing.md`` describes the pytest fixtures."""

from __future__ import annotations

import time

import anyio.lowlevel

from segments_async.settings import Clock


class ManualClock:
    """
    A clock that advances only when a client sleeps, without real delay, or when `now` is set.

    Example::

        clock = ManualClock()
        async with AsyncSegments(clock=clock.settings) as client:
            ...  # retries and requested delays take no real time
        print(clock.slept)

    Args:
        now: Seconds since 1970; by default the current time.

    Attributes:
        now: The current time of the clock; tests can set it.
        slept: The seconds of each sleep so far.
        jitter: The value returned as random number, from 0 (inclusive) to 1 (exclusive).
    """

    def __init__(self, now: float | None = None) -> None:
        self.now: float = time.time() if now is None else now
        self.slept: list[float] = []
        self.jitter: float = 0.5

    @property
    def settings(self) -> Clock:
        """The `Clock` to pass to `AsyncSegments` as *clock*."""
        return Clock(monotonic=self.time, sleep=self.sleep, time=self.time, random=lambda: self.jitter)

    def time(self) -> float:
        """
        Return the current time; pass this method to `Sandbox` as *clock*.

        Example:
            >>> ManualClock(7.0).time()
            7.0
        """
        return self.now

    async def sleep(self, seconds: float) -> None:
        """
        Advance the clock by *seconds* without waiting.

        Example::

            await clock.sleep(30)
        """
        self.slept.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()
