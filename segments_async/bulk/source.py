"""The input of a bulk run; items are numbered as they are taken."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Iterable, Sized
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator

_END = object()
_CLOSE_SECONDS = 2.0


class Source:
    """
    Take items from an iterable or an async iterable, one at a time and only on demand.

    What can also be awaited, such as a list that comes in pages, is read to its end first: the run may change what it
    lists, and that would shift the pages.

    Attributes:
        total: Number of items, if the input has a length.
        exhausted: Whether the end of the input was reached.
    """

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any]) -> None:
        self.total: int | None = len(items) if isinstance(items, Sized) else None
        self.exhausted: bool = False
        self._failed = False
        self._next_index = 0
        self._list = items if isinstance(items, AsyncIterable) and isinstance(items, Awaitable) else None
        self._async = aiter(items) if isinstance(items, AsyncIterable) and self._list is None else None
        self._sync = iter(()) if isinstance(items, AsyncIterable) else iter(items)

    async def take(self) -> tuple[int, Any] | None:
        """Return the next item and its index; None at the end. Exceptions of the input propagate unchanged."""
        try:
            if self._list is not None:
                rows = await self._list
                self._list, self.total, self._sync = None, len(rows), iter(rows)
            item = next(self._sync, _END) if self._async is None else await anext(self._async, _END)
        except Exception:
            self._failed = True
            raise
        return self._number(item)

    def rest(self) -> Iterator[tuple[int, Any]]:
        """Yield the items not taken yet; nothing if the input has no length, is async or raised an exception."""
        if self.total is None or self._async is not None or self._failed:
            return
        while (entry := self._number(next(self._sync, _END))) is not None:
            yield entry

    async def aclose(self) -> None:
        """Run the cleanup of an async generator that was not exhausted."""
        if isinstance(self._async, AsyncGenerator) and not self.exhausted:
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                await self._async.aclose()

    def _number(self, item: Any) -> tuple[int, Any] | None:
        if item is _END:
            self.exhausted = True
            return None
        index = self._next_index
        self._next_index += 1
        return index, item
