"""The input of a bulk run, counted as it is pulled."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sized
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator

_END = object()
_CLOSE_SECONDS = 2.0


class Source:
    """
    Pull items from an iterable or an async iterable, one at a time and only when asked.

    Attributes:
        total: Items in all, if the input has a length.
        exhausted: Whether its end was seen.
    """

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any]) -> None:
        self.total: int | None = len(items) if isinstance(items, Sized) else None
        self.exhausted: bool = False
        self._broken = False
        self._next_index = 0
        self._async = aiter(items) if isinstance(items, AsyncIterable) else None
        self._sync = iter(()) if isinstance(items, AsyncIterable) else iter(items)

    async def take(self) -> tuple[int, Any] | None:
        """The next item and its index; None at the end. What the input raises comes out as it is."""
        try:
            item = next(self._sync, _END) if self._async is None else await anext(self._async, _END)
        except Exception:
            self._broken = True
            raise
        return self._number(item)

    def rest(self) -> Iterator[tuple[int, Any]]:
        """What was not taken of an input that has a length; of any other, or a broken one, nothing is pulled."""
        if self.total is None or self._async is not None or self._broken:
            return
        while (entry := self._number(next(self._sync, _END))) is not None:
            yield entry

    async def aclose(self) -> None:
        """Let an async generator that was left early run its clean-up."""
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
