from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from segments_async._threads import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable


class ThreadBatcher:
    """
    Run short blocking tasks in a worker thread in batches, as starting a thread costs more than writing a small file.

    The first caller starts a batch, which contains every task waiting at that time. If asyncio cancels that caller, its
    thread continues and the tasks may run a second time, so they must be idempotent.
    """

    def __init__(self) -> None:
        self._waiting: list[_Task] = []
        self._batch_done: anyio.Event | None = None
        """Set when the current batch ends; None if there is none."""

    async def run(self, call: Callable[[], None]) -> None:
        """Run *call* and raise its exception, if any."""
        task = _Task(call)
        self._waiting.append(task)
        while not task.is_done:
            if self._batch_done is not None:
                await self._batch_done.wait()
            else:
                await self._run_waiting()
        if task.error is not None:
            raise task.error

    async def _run_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        self._batch_done = anyio.Event()
        try:
            with anyio.CancelScope(shield=True):  # other callers wait for the batch
                await run_sync(_run_all, batch)
        finally:
            self._waiting = [task for task in batch if not task.is_done] + self._waiting
            done, self._batch_done = self._batch_done, None
            done.set()


class _Task:
    """A callable and its result."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self.error: Exception | None = None
        self.is_done = False

    def run(self) -> None:
        """Call it and record its exception."""
        try:
            self._call()
        except Exception as error:  # noqa: BLE001 (raised where the task was submitted)
            self.error = error
        self.is_done = True


def _run_all(batch: list[_Task]) -> None:
    for task in batch:
        task.run()
