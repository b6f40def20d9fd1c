"""Async code, and a client, in the synchronous code of a worker."""

from __future__ import annotations

import asyncio
from threading import Thread
from typing import TYPE_CHECKING, Any, Self, TypeVar

from segments_async.ray.limiter import RayLimiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from types import TracebackType

    from segments_async._client import AsyncSegments
    from segments_async.ray.options import ClientOptions

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread, until it is closed or the process ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon, so that a worker that Ray ends does not wait for it.
        self._thread = Thread(target=self._loop.run_forever, name="segments_async", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def iterate(self, values: AsyncIterator[T]) -> Iterator[T]:
        """Yield the values of an async iterator."""

        async def take() -> tuple[T, ...]:
            async for value in values:
                return (value,)
            return ()

        while found := self.run(take()):
            yield found[0]

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class WorkerClient(LoopThread):
    """
    A client with the API key of this process, and its event loop.

    Raises:
        AuthenticationError: The environment of this process has no API key.
    """

    def __init__(self, options: ClientOptions) -> None:
        if isinstance(options.limiter, RayLimiter):
            options.limiter.connect()
        self.client: AsyncSegments = options.create()
        super().__init__()

    def call(self, function: Callable[[AsyncSegments], Coroutine[Any, Any, T]]) -> T:
        """Call an async function with the client, and wait for its result."""
        return self.run(function(self.client))

    def close(self) -> None:
        """Close the client, and end the thread."""
        self.run(self.client.aclose())
        super().close()
