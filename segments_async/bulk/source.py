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

    An input that raises an exception ends there, and `error` is the exception. One that can also be awaited, such as a
    list that comes in pages, is read to its end first: the run may change what it lists, which would shift the pages.

    Attributes:
        total: Number of items, if the input has a length.
        exhausted: Whether the end of the input was reached.
        error: The exception that the input raised.
        is_async: Whether items are taken with `take`; if not, `take_now` does the same at once.
    """

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any]) -> None:
        self.total: int | None = _length_of(items)
        self.exhausted: bool = False
        self.error: Exception | None = None
        self._items = items
        self.is_async: bool = isinstance(items, AsyncIterable)
        self._iterator: Any = None
        self._next_index = 0

    async def take(self) -> tuple[int, Any] | None:
        """Return the next item and its index; None at the end, or after an exception of the input."""
        if self.error is not None:
            return None
        try:
            if isinstance(self._items, Awaitable):
                self._read_list(await self._items)
                return self.take_now()
            # CPython 3.11 crashes in `anext` with a default if `__anext__` raises before there is something to await.
            return self._number(await anext(self._open()))
        except Exception as error:  # noqa: BLE001 (raised by the input)
            if isinstance(error, StopAsyncIteration):
                self.exhausted = True
            else:
                self.error = error
            return None

    def take_now(self) -> tuple[int, Any] | None:
        """Return the next item of an input that is not async, as `take` does."""
        if self.error is not None:
            return None
        try:
            item = next(self._open() if self._iterator is None else self._iterator, _END)
        except Exception as error:  # noqa: BLE001 (raised by the input)
            self.error = error
            return None
        return self._number(item)

    def rest(self) -> Iterator[tuple[int, Any]]:
        """Yield the items not taken yet; nothing if the input has no length, is async or raised an exception."""
        if self.total is None or self.is_async:
            return
        while self.error is None:
            try:
                entry = self._number(next(self._open(), _END))
            except Exception as error:  # noqa: BLE001 (raised by the input)
                self.error = error
                return
            if entry is None:
                return
            yield entry

    async def aclose(self) -> None:
        """Run the cleanup of an async generator that was not exhausted."""
        iterator = self._items if self._iterator is None else self._iterator
        if isinstance(iterator, AsyncGenerator) and not self.exhausted:
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                try:
                    await iterator.aclose()
                except Exception as error:  # noqa: BLE001 (raised by the input)
                    self.error = self.error or error

    def _read_list(self, rows: list[Any]) -> None:
        """Continue with the rows of a list that was read to its end."""
        self._items, self.is_async, self.total = rows, False, len(rows)

    def _open(self) -> Any:
        """Return the iterator, created at the first call."""
        if self._iterator is None:
            open_items: Any = aiter if self.is_async else iter
            self._iterator = open_items(self._items)
        return self._iterator

    def _number(self, item: Any) -> tuple[int, Any] | None:
        if item is _END:
            self.exhausted = True
            return None
        index = self._next_index
        self._next_index += 1
        return index, item


def _length_of(items: object) -> int | None:
    """Return the number of items; None if it has no length, or none that can be computed."""
    try:
        return len(items) if isinstance(items, Sized) else None
    except Exception:  # noqa: BLE001 (raised by the input; its items may be fine)
        return None
