"""Work that is done ahead of whoever takes its results: bounded, in order, and ended with its block."""

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
    Do jobs in the background, and give their results in order: an async context manager.

    An error comes out bare, in its place among the results; `take` then stands before the job that failed, and does it
    again if it is called again. Leaving the block cancels what is under way.

    Args:
        jobs: The jobs, pulled only when there is room.
        limit: Jobs under way, or done and not yet taken.
    """

    def __init__(self, jobs: AsyncIterator[Callable[[], Awaitable[T]]], limit: int) -> None:
        self._jobs = jobs
        self._limit = limit
        self._window: deque[_Work[T]] = deque()
        self._entered = False
        self._left = False
        self._fed = False

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ClientStateError("this block was entered before; make another")
        self._entered = True
        self._room = anyio.Semaphore(self._limit, fast_acquire=True)
        self._news = anyio.Event()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._feed)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left = True
        self._group.cancel_scope.cancel()
        # An error of the body goes its own way, bare; only a cancellation is the group's business.
        if isinstance(error, get_cancelled_exc_class()):
            await self._group.__aexit__(kind, error, traceback)
        else:
            await self._group.__aexit__(None, None, None)
        self._window.clear()

    async def take(self) -> T:
        """
        Wait for the next result; several tasks may, and each result goes to one of them.

        Raises:
            StopAsyncIteration: There are no more jobs.
            ClientStateError: This is not inside the block.
        """
        while True:
            if not self._entered or self._left:
                raise ClientStateError("this can be iterated over only inside its 'async with'")
            if self._window:
                work = self._window[0]
                if not work.started:
                    self._start(work)
                await work.done.wait()
                if self._window and self._window[0] is work:
                    return self._settle(work)
            elif self._fed:
                raise StopAsyncIteration
            else:
                if self._news.is_set():
                    self._news = anyio.Event()
                await self._news.wait()

    def _settle(self, work: _Work[T]) -> T:
        if work.error is not None:
            self._window[0] = _Work(work.job)
            raise work.error
        self._window.popleft()
        self._room.release()
        return work.result

    async def _feed(self) -> None:
        try:
            await self._room.acquire()
            async for job in self._jobs:
                self._add(job)
                await self._room.acquire()
        except Exception as error:  # noqa: BLE001 (raised in its place among the results)
            self._add(_failing(error))
        finally:
            self._fed = True
            self._news.set()

    def _add(self, job: Callable[[], Awaitable[T]]) -> None:
        work = _Work(job)
        self._window.append(work)
        self._start(work)
        self._news.set()

    def _start(self, work: _Work[T]) -> None:
        work.started = True
        self._group.start_soon(work.run)


class _Work(Generic[T]):
    """One job, and what came of it."""

    result: T

    def __init__(self, job: Callable[[], Awaitable[T]]) -> None:
        self.job = job
        self.started = False
        self.done = anyio.Event()
        self.error: Exception | None = None

    async def run(self) -> None:
        """Do the job."""
        try:
            self.result = await self.job()
        except Exception as error:  # noqa: BLE001 (raised when its turn has come)
            self.error = error
        self.done.set()


def _failing(error: Exception) -> Callable[[], Awaitable[NoReturn]]:
    async def fail() -> NoReturn:
        raise error

    return fail
