"""Live updates for all open pages, as server-sent events."""

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
"""Maximum duration of an event stream, so that open streams do not block a server shutdown; browsers reconnect."""
HEARTBEAT_SECONDS = 10.0
"""Seconds without an event after which a stream sends a comment, to keep the connection open."""
PAUSE_SECONDS = 0.2
"""Events within this time are sent as one chunk, because with many open pages each chunk costs more than its events."""


class Live:
    """
    A log of the latest events that any number of streams read, each from its own position.

    There are no queues per stream, so a slow reader costs no memory. A reader that has fallen too far behind receives
    a ``reload`` event. The log is local to one process.

    Args:
        max_events: Maximum number of events in the log.
    """

    def __init__(self, max_events: int = 1000) -> None:
        self._log: deque[str] = deque(maxlen=max_events)
        # Starts with the time, so that positions of an earlier process count as outdated.
        self.position = time.time_ns() // 1_000_000
        self._waiting: set[anyio.Event] = set()
        self._closed = False

    def publish(self, name: str, data: BaseModel) -> None:
        """Append an event and wake all streams."""
        self.position += 1
        self._log.append(f"id: {self.position}\nevent: {name}\ndata: {data.model_dump_json()}\n\n")
        self._wake()

    def close(self) -> None:
        """End all streams, so that a server can stop without waiting for them."""
        self._closed = True
        self._wake()

    async def stream(self, position: int) -> AsyncIterator[str]:
        """Yield the events after *position*, then new ones as they are published."""
        deadline = anyio.current_time() + STREAM_SECONDS
        yield "retry: 1000\n\n"
        while anyio.current_time() < deadline and not self._closed:
            missed = self.position - position
            if not 0 <= missed <= len(self._log):
                yield f"id: {self.position}\nevent: reload\ndata: {{}}\n\n"
            elif missed:
                yield "".join(islice(self._log, len(self._log) - missed, None))
            elif not await self._wait_for_event():
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

    async def _wait_for_event(self) -> bool:
        """Wait up to `HEARTBEAT_SECONDS` for an event; return whether there was one."""
        waiting = anyio.Event()
        self._waiting.add(waiting)
        try:
            with anyio.move_on_after(HEARTBEAT_SECONDS):
                await waiting.wait()
        finally:
            self._waiting.discard(waiting)
        return waiting.is_set()
