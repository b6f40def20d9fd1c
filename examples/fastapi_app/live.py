"""What happens, told to every page that listens, as server-sent events."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import BaseModel

STREAM_SECONDS = 30.0
"""A stream ends after this, so that it keeps no server from stopping; browsers connect anew by themselves."""
HEARTBEAT_SECONDS = 10.0
PAUSE_SECONDS = 0.2
"""What happens within this time goes out in one piece: with many pages open, most of the work is in the pieces."""


class Live:
    """
    A log of the newest events that any number of streams read, each from where it is.

    Nothing is queued for anybody, so a slow reader costs no memory: one that has fallen too far behind is told to load
    the page anew. It belongs to one process.

    Args:
        most: Events that are kept.
    """

    def __init__(self, most: int = 1000) -> None:
        self._log: deque[str] = deque(maxlen=most)
        # Begins with the time, so that a page that was connected to an earlier process is seen to be behind.
        self.position = time.time_ns() // 1_000_000
        self._waiting: set[anyio.Event] = set()
        self._closed = False

    def tell(self, name: str, data: BaseModel) -> None:
        """Add an event."""
        self.position += 1
        self._log.append(f"id: {self.position}\nevent: {name}\ndata: {data.model_dump_json()}\n\n")
        self._wake()

    def close(self) -> None:
        """End all streams, so that a server that is to stop need not wait for them."""
        self._closed = True
        self._wake()

    async def stream(self, position: int) -> AsyncIterator[str]:
        """Tell what has happened since *position*, and what happens."""
        ends = anyio.current_time() + STREAM_SECONDS
        yield "retry: 1000\n\n"
        while anyio.current_time() < ends and not self._closed:
            missed = self.position - position
            if not 0 <= missed <= len(self._log):
                yield f"id: {self.position}\nevent: reload\ndata: {{}}\n\n"
            elif missed:
                yield "".join(islice(self._log, len(self._log) - missed, None))
            elif not await self._changed():
                yield ": still here\n\n"
                continue
            else:
                continue
            position += missed
            await anyio.sleep(PAUSE_SECONDS)

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()
        self._waiting.clear()

    async def _changed(self) -> bool:
        """Wait for an event, but not for long."""
        waiting = anyio.Event()
        self._waiting.add(waiting)
        try:
            with anyio.move_on_after(HEARTBEAT_SECONDS):
                await waiting.wait()
        finally:
            self._waiting.discard(waiting)
        return waiting.is_set()
