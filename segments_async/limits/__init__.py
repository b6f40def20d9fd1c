"""
One rate limit for the processes of several machines.

Each client finds out about the service's limit by being refused, so several clients with one key refuse each other. A
limiter that they share gives each its turns::

    from segments_async.limits import RedisLimiter

    async with AsyncSegments(limiter=RedisLimiter("redis://localhost")) as client:
        await client.labels.put_many(labels)

See ``docs/scale.md``.
"""

from __future__ import annotations

from typing import Protocol

from segments_async._wire.shared_rate import Turns
from segments_async.limits._redis import RedisLimiter

__all__ = ["RedisLimiter", "SharedLimiter", "Turns"]


class SharedLimiter(Protocol):
    """
    What `AsyncSegments(limiter=)` needs of a limiter that several processes share.

    A client asks it before it sends a call for which it has no turn left. Several clients may use one limiter.
    Exceptions of these methods, and answers that take longer than a second, do not stop a client: it logs a warning and
    continues with its own limiter for some seconds.

    Example::

        limiter: SharedLimiter = RedisLimiter("redis://localhost", rate=100)
        async with AsyncSegments(limiter=limiter) as client:
            await client.labels.put_many(labels)
    """

    async def reserve(self, key: str, most: int, /) -> Turns:
        """
        Give this process turns.

        Args:
            key: Identifies the service and the API key; the key itself cannot be found out from it.
            most: Maximum number of turns; 0 asks only whether calls must wait now.

        Returns:
            The turns, and in how many seconds calls may use them.
        """
        ...

    async def give_back(self, key: str, count: int, /) -> None:
        """
        Take back turns that were not used.

        Args:
            key: As in `reserve`.
            count: The number of turns, at least 1.
        """
        ...

    async def refused(self, key: str, seconds: float, /) -> None:
        """
        Pause the calls of all processes, because the service refused one.

        Args:
            key: As in `reserve`.
            seconds: The wait that the service asked for.
        """
        ...

    async def learned(self, key: str, rate: float, /) -> None:
        """
        Use the rate that this process measured because it was asked to (`Turns.measure`).

        Args:
            key: As in `reserve`.
            rate: Calls per second.
        """
        ...
