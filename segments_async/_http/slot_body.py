"""The body of a response, which holds its connection until it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class SlotBody(httpx.AsyncByteStream):
    """
    A response body that releases its connection when it is closed.

    Args:
        finish: Ends the exchange.

    Attributes:
        release: Is told whether the connection may be used again.
        is_complete: Whether the body was read to its end.
    """

    def __init__(self, finish: Callable[[], Awaitable[None]]) -> None:
        self._finish = finish
        self._is_closed = False
        self.release: Callable[..., Any] | None = None
        self.is_complete = False

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        is_clean = False
        try:
            await self._finish()
            is_clean = self.is_complete
        finally:
            if self.release is not None:
                await self.release(clean=is_clean)


class WrappedBody(SlotBody):
    """A body of another class."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        super().__init__(stream.aclose)
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part
        self.is_complete = True
