from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable


class ThreadBatcher:
    """
    Run short blocking tasks in a worker thread, several in one hop, as a hop costs more than writing a small file.

    The first caller starts a hop, which takes along every task that is waiting by then. A task may run twice if the
    caller that started the hop was cancelled by asyncio, which leaves the thread running, so tasks must allow that.
    """

    def __init__(self) -> None:
        self._waiting: list[_Task] = []
        self._hop: anyio.Event | None = None
        """Set when the current hop ends."""

    async def run(self, task: Callable[[], None]) -> None:
        """Run *task* and raise what it raises."""
        mine = _Task(task)
        self._waiting.append(mine)
        while not mine.is_done:
            if self._hop is not None:
                await self._hop.wait()
            else:
                await self._run_waiting()
        if mine.error is not None:
            raise mine.error

    async def _run_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        self._hop = anyio.Event()
        try:
            with anyio.CancelScope(shield=True):  # other callers wait for it
                await run_sync(_run_all, batch)
        finally:
            self._waiting = [task for task in batch if not task.is_done] + self._waiting
            hop, self._hop = self._hop, None
            hop.set()


class _Task:
    """A callable and its result."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self.error: Exception | None = None
        self.is_done = False

    def run(self) -> None:
        """Call it and keep its exception."""
        try:
            self._call()
        except Exception as error:  # noqa: BLE001 (raised where the task was submitted)
            self.error = error
        self.is_done = True


def _run_all(batch: list[_Task]) -> None:
    for task in batch:
        task.run()
