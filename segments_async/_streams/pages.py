"""Lists of the service, page by page."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio
from attrs import field, frozen

from segments_async._serialization.converter import structure
from segments_async._streams.prefetch import Prefetcher
from segments_async._wire.arguments import check_count
from segments_async.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
    from types import TracebackType

    Fetch = Callable[[int, int | None], Awaitable["Page[T] | None"]]

T = TypeVar("T")


@frozen
class Page(Generic[T]):
    """One page as it was received."""

    rows: list[T]
    received: int
    """Rows that the service sent, among them those that were skipped."""
    skipped: Sequence[DecodeError] = field(default=())

    @classmethod
    def row_by_row(cls, error: DecodeError, model: type[T], *, page: int, first: int, skip: bool) -> Self:
        """
        Read a page row by row that could not be read as a whole.

        Args:
            error: What that ended with.
            model: What a row is.
            page: The page's number.
            first: The index of its first row in the whole list.
            skip: Whether rows that do not fit are left out.

        Raises:
            DecodeError: It is no list of rows; or, unless *skip*, a row does not fit.
        """
        if not isinstance(error.payload, list):
            raise error
        payload: list[Any] = error.payload
        rows: list[T] = []
        skipped: list[DecodeError] = []
        for index, row in enumerate(payload):
            try:
                rows.append(structure(row, model))
            except DecodeError as mismatch:
                placed = _placed(mismatch, index, error, page=page, row=first + index)
                if not skip:
                    raise placed from None
                skipped.append(placed)
        return cls(rows, len(payload), skipped)


def _placed(mismatch: DecodeError, index: int, error: DecodeError, *, page: int, row: int) -> DecodeError:
    """Say of what is wrong with one row where the row is, and which call gave it: that of *error*."""
    joint = "" if not mismatch.path or mismatch.path.startswith("[") else "."
    return DecodeError(
        mismatch.problem,
        path=f"[{index}]{joint}{mismatch.path}",
        payload=mismatch.payload,
        status=error.status,
        method=error.method,
        url=error.url,
        request_id=error.request_id,
        page=page,
        row=row,
    )


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

            async with client.samples.list("jane/flowers").prefetch(4) as samples:
                async for sample in samples:
                    await work_on(sample)  # meanwhile the next pages are fetched

            newest = await client.samples.list("jane/flowers", sort="created_at", direction="desc").first()

    Each use starts anew, so that what was created in between is seen.
    """

    def __init__(
        self,
        fetch: Fetch[T],
        *,
        per_page: int | None = None,
        lookahead: int = 1,
        limit: int = 1,
    ) -> None:
        """
        Describe the list.

        Args:
            fetch: Gives page number n (from 1) with so many rows at most; None where the list has ended before.
            per_page: Rows a page; None where the service gives the list in one piece.
            lookahead: Pages that are fetched at the same time.
            limit: Pages that may be fetched at the same time.
        """
        self._fetch = fetch
        self._per_page = per_page
        self._lookahead = lookahead
        self._limit = limit
        self._skipped: list[DecodeError] = []

    @property
    def skipped(self) -> list[DecodeError]:
        """
        What was left out with ``on_error="skip"`` by the use that began last: an error for each row, in order.

        Example:
            ::

                pages = client.samples.list("jane/flowers", on_error="skip")
                samples = await pages
                for error in pages.skipped:
                    print(error.row, error.path, error.problem)

        Each has `DecodeError.row`, `DecodeError.page`, and the row itself as its `payload`.
        """
        return self._skipped

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._everything().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return _Rows(self.pages())

    def pages(self) -> AsyncIterator[list[T]]:
        """
        Iterate over whole pages; none of them is empty.

        The end is where a page is short or missing. No task outlives a step, so leaving early costs nothing.
        """
        return self._walk(self._per_page, self._lookahead)

    def prefetch(self, pages: int = 4) -> Prefetch[T]:
        """
        Fetch pages in the background, while you work on those that came before.

        Example:
            ::

                async with client.samples.list("jane/flowers").prefetch(4) as samples:
                    async for sample in samples:
                        await work_on(sample)

        Args:
            pages: Pages ahead of you at most, under way or waiting for you; so much memory it takes.

        Returns:
            A block, inside which there are rows, or `Prefetch.pages`. Leaving it early cancels what is under way.

        Raises:
            InputError: *pages* is no whole number from 1 to `max_connections`.
        """
        check_count(pages, "prefetch", self._limit)
        return Prefetch(self._fetch, self._per_page, pages, self._begin)

    async def first(self) -> T | None:
        """Fetch one row; None if the list is empty."""
        async for page in self._walk(None if self._per_page is None else 1, 1):
            return page[0]
        return None

    async def _everything(self) -> list[T]:
        everything: list[T] = []
        async for page in self.pages():
            everything += page
        return everything

    def _walk(self, per_page: int | None, lookahead: int) -> _Walk[T]:
        return _Walk(_Steps(self._fetch, per_page, lookahead).take, per_page, self._begin())

    def _begin(self) -> list[DecodeError]:
        """Begin a use, which has a report of its own."""
        self._skipped = []
        return self._skipped


class Prefetch(Generic[T]):
    """
    A list whose pages are fetched in the background: an async context manager, and an iterator over its rows.

    Example:
        ::

            async with client.samples.list("jane/flowers").prefetch(4) as samples:
                async for sample in samples:
                    await work_on(sample)

    Rows come in the list's order. An error comes out of the iteration bare, after the rows that were earlier; going on
    after it asks for its page again. Several tasks may iterate: each row goes to one of them.
    """

    def __init__(
        self, fetch: Fetch[T], per_page: int | None, pages: int, begin: Callable[[], list[DecodeError]]
    ) -> None:
        self._ahead = Prefetcher(_Jobs(fetch, per_page), pages if per_page is not None else 1)
        self._begin = begin
        self._walk = _Walk(self._ahead.take, per_page, [])
        self._rows = _Rows(self._walk)

    @property
    def skipped(self) -> list[DecodeError]:
        """What was left out with ``on_error="skip"``: an error for each row, in order."""
        return self._walk.skipped

    def pages(self) -> AsyncIterator[list[T]]:
        """Iterate over whole pages instead of rows; none of them is empty."""
        return self._walk

    async def __aenter__(self) -> Self:
        await self._ahead.__aenter__()
        self._walk.skipped = self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._ahead.__aexit__(kind, error, traceback)

    def __aiter__(self) -> AsyncIterator[T]:
        return self._rows

    async def __anext__(self) -> T:
        return await anext(self._rows)


def _is_last(page: Page[T] | None, per_page: int | None) -> bool:
    """Whether the list ends with *page*."""
    return page is None or per_page is None or page.received < per_page


# Classes instead of async generators: trio complains of a generator that was left before its end.
class _Walk(AsyncIterator[list[T]]):
    """One walk over a list, page by page; the lock lets several tasks share it."""

    def __init__(
        self, take: Callable[[], Awaitable[Page[T] | None]], per_page: int | None, skipped: list[DecodeError]
    ) -> None:
        self._take = take
        self._per_page = per_page
        self._ended = False
        self._lock = anyio.Lock(fast_acquire=True)
        self.skipped = skipped

    async def __anext__(self) -> list[T]:
        async with self._lock:
            while not self._ended:
                page = await self._take()
                self._ended = _is_last(page, self._per_page)
                if page is not None:
                    self.skipped += page.skipped
                    if page.rows:
                        return page.rows
        raise StopAsyncIteration


class _Rows(AsyncIterator[T]):
    """The rows of pages that are not empty; the lock lets several tasks share them."""

    def __init__(self, pages: AsyncIterator[list[T]]) -> None:
        self._pages = pages
        self._rows: Iterator[T] = iter(())
        self._lock = anyio.Lock(fast_acquire=True)

    async def __anext__(self) -> T:
        for row in self._rows:
            return row
        async with self._lock:
            for row in self._rows:
                return row  # of a page that another task has fetched meanwhile
            self._rows = iter(await anext(self._pages))
            return next(self._rows)


class _Steps(Generic[T]):
    """Pages that are fetched when they are asked for, some at once."""

    def __init__(self, fetch: Fetch[T], per_page: int | None, lookahead: int) -> None:
        self._fetch = fetch
        self._per_page = per_page
        self._lookahead = 1 if per_page is None else lookahead
        self._fetched: deque[Page[T] | None] = deque()
        self._next_number = 1

    async def take(self) -> Page[T] | None:
        """Give the next page."""
        if not self._fetched:
            self._fetched.extend(await self._fetch_several())
            self._next_number += len(self._fetched)
        return self._fetched.popleft()

    async def _fetch_several(self) -> list[Page[T] | None]:
        """Fetch some pages at once, up to the last one; one beyond that may fail without harm."""
        if self._lookahead == 1:
            return [await self._fetch(self._next_number, self._per_page)]
        fetched: dict[int, Page[T] | Exception | None] = {}

        async def fetch(offset: int) -> None:
            try:
                fetched[offset] = await self._fetch(self._next_number + offset, self._per_page)
            except Exception as error:  # noqa: BLE001 (raised below, bare instead of in a group)
                fetched[offset] = error

        async with anyio.create_task_group() as group:
            for offset in range(self._lookahead):
                group.start_soon(fetch, offset)
        pages: list[Page[T] | None] = []
        for offset in range(self._lookahead):
            page = fetched[offset]
            if isinstance(page, Exception):
                raise page
            pages.append(page)
            if _is_last(page, self._per_page):
                break
        return pages


class _Jobs(AsyncIterator["Callable[[], Awaitable[Page[T] | None]]"]):
    """One job for each page, until one of them was the last."""

    def __init__(self, fetch: Fetch[T], per_page: int | None) -> None:
        self._fetch = fetch
        self._per_page = per_page
        self._ended = False
        self._next_number = 1

    async def __anext__(self) -> Callable[[], Awaitable[Page[T] | None]]:
        if self._ended:
            raise StopAsyncIteration
        number = self._next_number
        self._next_number += 1

        async def fetch() -> Page[T] | None:
            page = await self._fetch(number, self._per_page)
            self._ended = self._ended or _is_last(page, self._per_page)
            return page

        return fetch
