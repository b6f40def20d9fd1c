"""Lists of the service, page by page."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator

T = TypeVar("T")


class Pages(Generic[T]):
    """
    A list of the service, fetched only when it is asked for.

    Example:
        ::

            everything = await client.samples.list("jane/flowers")

            async for sample in client.samples.list("jane/flowers"):
                print(sample.name)

            async for page in client.samples.list("jane/flowers", per_page=100).pages():
                print(len(page))

            newest = await client.samples.list("jane/flowers", sort="created_at", direction="desc").first()

    Each use starts anew, so that what was created in between is seen.
    """

    def __init__(
        self,
        fetch: Callable[[int, int | None], Awaitable[list[T] | None]],
        *,
        per_page: int | None = None,
        lookahead: int = 1,
    ) -> None:
        """
        Describe the list.

        Args:
            fetch: Gives page number n (from 1) with so many rows at most; None where the list has ended before.
            per_page: Rows a page; None where the service gives the list in one piece.
            lookahead: Pages that are fetched at the same time.
        """
        self._fetch = fetch
        self._per_page = per_page
        self._lookahead = lookahead

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._everything().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return _Rows(self.pages())

    def pages(self) -> AsyncIterator[list[T]]:
        """
        Iterate over whole pages; none of them is empty.

        The end is where a page is short or missing. No task outlives a step, so leaving early costs nothing.
        """
        return _PageByPage(self)

    async def first(self) -> T | None:
        """Fetch one row; None if the list is empty."""
        page = await self._fetch(1, None if self._per_page is None else 1)
        return page[0] if page else None

    async def _everything(self) -> list[T]:
        everything: list[T] = []
        async for page in self.pages():
            everything += page
        return everything

    def is_last(self, page: list[T] | None) -> bool:
        """Whether the list ends with *page*."""
        return page is None or self._per_page is None or len(page) < self._per_page

    async def fetch_from(self, number: int) -> list[list[T] | None]:
        """Fetch some pages at once, up to the last one; one beyond that may fail without harm."""
        count = 1 if self._per_page is None else self._lookahead
        if count == 1:
            return [await self._fetch(number, self._per_page)]
        fetched: dict[int, list[T] | Exception | None] = {}

        async def fetch(offset: int) -> None:
            try:
                fetched[offset] = await self._fetch(number + offset, self._per_page)
            except Exception as error:  # noqa: BLE001 (raised below, bare instead of in a group)
                fetched[offset] = error

        async with anyio.create_task_group() as group:
            for offset in range(count):
                group.start_soon(fetch, offset)
        pages: list[list[T] | None] = []
        for offset in range(count):
            page = fetched[offset]
            if isinstance(page, Exception):
                raise page
            pages.append(page)
            if self.is_last(page):
                break
        return pages


# Classes instead of async generators: trio complains of a generator that was left before its end.
class _PageByPage(AsyncIterator[list[T]]):
    """One walk over a list."""

    def __init__(self, pages: Pages[T]) -> None:
        self._pages = pages
        self._fetched: deque[list[T] | None] = deque()
        self._next_number = 1
        self._ended = False

    async def __anext__(self) -> list[T]:
        while not self._ended:
            if not self._fetched:
                self._fetched.extend(await self._pages.fetch_from(self._next_number))
                self._next_number += len(self._fetched)
            page = self._fetched.popleft()
            self._ended = self._pages.is_last(page)
            if page:
                return page
        raise StopAsyncIteration


class _Rows(AsyncIterator[T]):
    """The rows of pages that are not empty."""

    def __init__(self, pages: AsyncIterator[list[T]]) -> None:
        self._pages = pages
        self._rows: Iterator[T] = iter(())

    async def __anext__(self) -> T:
        for row in self._rows:
            return row
        self._rows = iter(await anext(self._pages))
        return next(self._rows)
