from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from segments_async._threads import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable


class ThreadBatcher:
    """
    Run short blocking tasks in a worker thread in batches, as starting a thread costs more than writing a small file.

    The first caller starts a batch, which contains every task waiting at that time. Then the first of those that came
    meanwhile starts the next one. If asyncio cancels a caller that started a batch, its thread continues and the tasks
    may run a second time, so they must be idempotent.
    """

    def __init__(self) -> None:
        self._waiting: list[_Task] = []
        self._is_running = False

    async def run(self, call: Callable[[], None]) -> None:
        """Run *call* and raise its exception, if any."""
        task = _Task(call)
        self._waiting.append(task)
        try:
            while not task.is_done:
                if self._is_running:
                    await task.wait()
                else:
                    await self._run_waiting()
        except BaseException:
            self._leave(task)
            raise
        if task.error is not None:
            raise task.error

    async def _run_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        self._is_running = True
        try:
            with anyio.CancelScope(shield=True):  # other callers wait for the batch
                await run_sync(_run_all, batch)
        finally:
            self._is_running = False
            self._waiting = [task for task in batch if not task.is_done] + self._waiting
            for task in batch:
                task.wake()
            self._wake_next()

    def _leave(self, task: _Task) -> None:
        """Give up a task whose caller is cancelled; if it was the one to start the next batch, another one does."""
        if task in self._waiting:
            self._waiting.remove(task)
        self._wake_next()

    def _wake_next(self) -> None:
        if self._waiting and not self._is_running:
            self._waiting[0].wake()


class _Task:
    """A callable and its result."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._woken: anyio.Event | None = None
        self.error: Exception | None = None
        self.is_done = False

    def run(self) -> None:
        """Call it and record its exception."""
        try:
            self._call()
        except Exception as error:  # noqa: BLE001 (raised where the task was submitted)
            self.error = error
        self.is_done = True

    async def wait(self) -> None:
        """Wait until it may be done, or is the one to start the next batch."""
        self._woken = anyio.Event()
        await self._woken.wait()

    def wake(self) -> None:
        """End the wait, if there is one."""
        if self._woken is not None:
            self._woken.set()


def _run_all(batch: list[_Task]) -> None:
    for task in batch:
        task.run()
