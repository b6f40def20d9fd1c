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
    """

    async def reserve(self, key: str, most: int, /) -> Turns:
        """
        Give this process turns.

        Args:
            key: Identifies the service and the API key; the key itself cannot be found out from it.
            most: Maximum number of turns; 0 asks only whether calls must wait now.
        """
        ...

    async def give_back(self, key: str, count: int, /) -> None:
        """Take back *count* turns that were not used."""
        ...

    async def refused(self, key: str, seconds: float, /) -> None:
        """Pause the calls of all processes, because the service refused one and asked to wait for *seconds*."""
        ...

    async def learned(self, key: str, rate: float, /) -> None:
        """Use *rate*, in calls per second, which this process measured because it was asked to (`Turns.measure`)."""
        ...
