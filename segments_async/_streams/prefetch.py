"""Run jobs ahead of their consumer: bounded, with results in order, and cancelled when the block is left."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar

import anyio
from anyio import get_cancelled_exc_class

from segments_async.errors import ClientStateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """
    Run jobs in the background and return their results in order: an async context manager.

    `take` raises the error of a job in its place among the results, not wrapped in an exception group; the next `take`
    runs that job again. Leaving the block cancels the jobs in progress.

    Args:
        jobs: The jobs; the next one is requested only when there is room for it.
        limit: Maximum jobs that are running, or done and not taken yet.
    """

    def __init__(self, jobs: AsyncIterator[Callable[[], Awaitable[T]]], limit: int) -> None:
        self._jobs = jobs
        self._limit = limit
        self._queue: deque[_Task[T]] = deque()
        self._entered = False
        self._exited = False
        self._exhausted = False

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ClientStateError("this 'async with' block was entered before; create a new one")
        self._entered = True
        self._slots = anyio.Semaphore(self._limit, fast_acquire=True)
        self._changed = anyio.Event()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._start_jobs)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exited = True
        self._group.cancel_scope.cancel()
        # Only a cancellation is passed to the group, which would wrap an error of the body in an exception group.
        if isinstance(error, get_cancelled_exc_class()):
            await self._group.__aexit__(kind, error, traceback)
        else:
            await self._group.__aexit__(None, None, None)
        self._queue.clear()

    async def take(self) -> T:
        """
        Wait for the next result. Several tasks may call this; each result goes to one of them.

        Raises:
            StopAsyncIteration: There are no more jobs.
            ClientStateError: The block was not entered yet, or was left.
        """
        while True:
            if not self._entered or self._exited:
                raise ClientStateError("this can be iterated over only inside its 'async with' block")
            if self._queue:
                task = self._queue[0]
                if not task.started:
                    self._start(task)
                await task.done.wait()
                if self._queue and self._queue[0] is task:
                    return self._pop_result(task)
            elif self._exhausted:
                raise StopAsyncIteration
            else:
                if self._changed.is_set():
                    self._changed = anyio.Event()
                await self._changed.wait()

    def _pop_result(self, task: _Task[T]) -> T:
        """Remove the first task and return its result; after an error, replace it by a new task for the same job."""
        if task.error is not None:
            self._queue[0] = _Task(task.job)
            raise task.error
        self._queue.popleft()
        self._slots.release()
        return task.result

    async def _start_jobs(self) -> None:
        try:
            await self._slots.acquire()
            async for job in self._jobs:
                self._add(job)
                await self._slots.acquire()
        except Exception as error:  # noqa: BLE001 (raised in its place among the results)
            self._add(_failing(error))
        finally:
            self._exhausted = True
            self._changed.set()

    def _add(self, job: Callable[[], Awaitable[T]]) -> None:
        task = _Task(job)
        self._queue.append(task)
        self._start(task)
        self._changed.set()

    def _start(self, task: _Task[T]) -> None:
        task.started = True
        self._group.start_soon(task.run)


class _Task(Generic[T]):
    """One job and its result."""

    result: T

    def __init__(self, job: Callable[[], Awaitable[T]]) -> None:
        self.job = job
        self.started = False
        self.done = anyio.Event()
        self.error: Exception | None = None

    async def run(self) -> None:
        """Run the job and record its result or error."""
        try:
            self.result = await self.job()
        except Exception as error:  # noqa: BLE001 (raised by `Prefetcher.take`)
            self.error = error
        self.done.set()


def _failing(error: Exception) -> Callable[[], Awaitable[NoReturn]]:
    """Return a job that raises *error*."""

    async def fail() -> NoReturn:
        raise error

    return fail
