"""For tests of code that uses this package; the fixtures of its pytest plugin are in docs/testing.md."""

from __future__ import annotations

import time

import anyio.lowlevel

from segments_async.settings import Clock


class ManualClock:
    """
    Time that passes when a client sleeps, which then costs none, or when `now` is set.

    Example:
        ::

            clock = ManualClock()
            async with AsyncSegments(clock=clock.settings) as client:
                ...  # retries, and waits that the service asks for, are over at once
            print(clock.slept)

    Args:
        now: Seconds since 1970; by default the time it is.

    Attributes:
        now: What time it is; set it to whatever a test needs.
        slept: The seconds of each wait so far.
        jitter: What chance comes to, from 0 to below 1.
    """

    def __init__(self, now: float | None = None) -> None:
        self.now: float = time.time() if now is None else now
        self.slept: list[float] = []
        self.jitter: float = 0.5

    @property
    def settings(self) -> Clock:
        """What `AsyncSegments` takes as *clock*."""
        return Clock(monotonic=self.time, sleep=self.sleep, time=self.time, random=lambda: self.jitter)

    def time(self) -> float:
        """
        Tell what time it is; what `Sandbox` takes as *clock*.

        Example:
            >>> ManualClock(7.0).time()
            7.0
        """
        return self.now

    async def sleep(self, seconds: float) -> None:
        """
        Let *seconds* pass at once.

        Example:
            ::

                await clock.sleep(30)
        """
        self.slept.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()
