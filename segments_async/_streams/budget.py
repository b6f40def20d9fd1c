"""A budget of memory that concurrent jobs share, granted in the order of the jobs."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator


class Budget:
    """
    A number of bytes that jobs reserve before they use memory.

    Each job has a `Share`. Shares are served in the order in which they were created, and the first share that is not
    closed gets whatever it asks for. So if results are consumed, and their shares closed, in that order, there is
    always a job that can continue, however large its result is. The budget is exceeded by the first share at most.

    Args:
        limit: Bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers = count()
        self._open: deque[Share] = deque()
        self._waiting: list[Share] = []
        """In order."""
        self.used = 0
        """Bytes reserved now."""

    def share(self) -> Share:
        """Create the share of the next job."""
        share = Share(self, next(self._numbers))
        self._open.append(share)
        return share

    def fits(self, share: Share, size: int) -> bool:
        """Return whether a share may reserve more bytes at once."""
        if share is self._first:
            return True
        overtakes = bool(self._waiting) and self._waiting[0].number < share.number
        return not overtakes and self.used + size <= self._limit

    @property
    def _first(self) -> Share | None:
        while self._open and self._open[0].closed:
            self._open.popleft()
        return self._open[0] if self._open else None

    async def wait(self, share: Share, size: int) -> None:
        """Wait until a share may reserve more bytes, and reserve them."""
        share.wanted, share.granted = size, (granted := anyio.Event())
        self._waiting.append(share)
        self._waiting.sort(key=lambda waiting: waiting.number)
        try:
            await granted.wait()
        except BaseException:
            if share in self._waiting:
                self._waiting.remove(share)
            self.wake()
            raise

    def wake(self) -> None:
        """Serve shares that wait, in order, after bytes were released."""
        for share in self._servable():
            self._waiting.remove(share)
            share.add(share.wanted)
            if share.granted is not None:
                share.granted.set()

    def _servable(self) -> Iterator[Share]:
        while self._waiting:
            first = self._first
            share = first if first in self._waiting else self._waiting[0]
            assert share is not None
            if not self.fits(share, share.wanted):
                return
            yield share


class Share:
    """The part of a `Budget` that one job has reserved."""

    def __init__(self, budget: Budget, number: int) -> None:
        self._budget = budget
        self.number = number
        self.size = 0
        """Bytes."""
        self.closed = False
        self.wanted = 0
        """Bytes that it waits for."""
        self.granted: anyio.Event | None = None
        """Set when it gets them."""

    async def reserve(self, size: int) -> None:
        """Reserve more bytes, and wait for them if necessary; 0 waits while the budget is exhausted."""
        if self._budget.fits(self, size):
            self.add(size)
        else:
            await self._budget.wait(self, size)

    def add(self, size: int) -> None:
        """Count bytes that are in use already."""
        self.size += size
        self._budget.used += size

    def release(self, size: int) -> None:
        """Return bytes to the budget."""
        self.size -= size
        self._budget.used -= size
        self._budget.wake()

    def close(self) -> None:
        """Return all bytes, and let the next share be the first."""
        self.closed = True
        self.release(self.size)
