"""Paginated lists."""

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
    """One page of a list."""

    rows: list[T]
    received: int
    """Number of rows that the service sent, including skipped ones."""
    skipped: Sequence[DecodeError] = field(default=())

    def repeats(self, previous: Page[T]) -> bool:
        """Return whether this page has the rows of the one before; rows of a list differ, so few are compared."""
        return bool(self.received) and (
            self.rows == previous.rows
            and [error.payload for error in self.skipped] == [error.payload for error in previous.skipped]
        )

    @classmethod
    def row_by_row(cls, error: DecodeError, model: type[T], *, page: int, first: int, skip: bool) -> Self:
        """
        Structure a page row by row, after structuring it as a whole has failed.

        Args:
            error: The error of structuring the whole page.
            model: The type of a row.
            page: The page's number.
            first: The index of its first row in the whole list.
            skip: Whether to skip invalid rows.

        Raises:
            DecodeError: The page is not a list; or, unless *skip*, a row is invalid.
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
                located = _with_location(mismatch, index, error, page=page, row=first + index)
                if not skip:
                    raise located from None
                skipped.append(located)
        return cls(rows, len(payload), skipped)


def _with_location(mismatch: DecodeError, index: int, error: DecodeError, *, page: int, row: int) -> DecodeError:
    """Add the position of the row, and the call of *error*, to the error of one row."""
    separator = "" if not mismatch.path or mismatch.path.startswith("[") else "."
    return DecodeError(
        mismatch.problem,
        path=f"[{index}]{separator}{mismatch.path}",
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
    A paginated list: await it for all rows, or iterate over rows or pages, which are fetched as needed.

    Example:
        ::

            everything = await client.samples.list("jane/flowers")

            async for sample in client.samples.list("jane/flowers"):
                print(sample.name)

            async for page in client.samples.list("jane/flowers", per_page=100).pages():
                print(len(page))

            async with client.samples.list("jane/flowers").prefetch(4) as samples:
                async for sample in samples:
                    await work_on(sample)  # the next pages are fetched in the background

            newest = await client.samples.list("jane/flowers", sort="created_at", direction="desc").first()

    Every use starts from the first page, so it includes what was created since the last one.
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
        Create a list; nothing is fetched yet.

        Args:
            fetch: Takes a page number (from 1) and a maximum number of rows, and returns that page; None past the end.
            per_page: Rows per page; None if the list has only one page.
            lookahead: Pages fetched at the same time.
            limit: Maximum of *lookahead* and of the argument of `prefetch`.
        """
        self._fetch = fetch
        self._per_page = per_page
        self._lookahead = lookahead
        self._limit = limit
        self._skipped: list[DecodeError] = []

    @property
    def skipped(self) -> list[DecodeError]:
        """
        The rows that the latest use skipped with ``on_error="skip"``: one error per row, in order.

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
        return self._collect().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return _RowIterator(self.pages())

    def pages(self) -> AsyncIterator[list[T]]:
        """
        Iterate over whole pages; none of them is empty.

        The iteration ends after a page that is shorter than *per_page*, or missing. No task runs between two steps, so
        the loop may be left early.
        """
        return self._iterate(self._per_page, self._lookahead)

    def prefetch(self, pages: int = 4) -> Prefetch[T]:
        """
        Fetch pages in the background while you process earlier ones.

        Example:
            ::

                async with client.samples.list("jane/flowers").prefetch(4) as samples:
                    async for sample in samples:
                        await work_on(sample)

        Args:
            pages: Maximum pages fetched or buffered ahead; bounds memory.

        Returns:
            An async context manager that iterates over rows; see also `Prefetch.pages`. Leaving it early cancels the
            requests in flight.

        Raises:
            InputError: *pages* is not a whole number from 1 to `max_connections`.
        """
        check_count(pages, "prefetch", self._limit)
        return Prefetch(self._fetch, self._per_page, pages, self._reset_skipped)

    async def first(self) -> T | None:
        """Fetch only the first row; None if the list is empty."""
        async for page in self._iterate(None if self._per_page is None else 1, 1):
            return page[0]
        return None

    async def _collect(self) -> list[T]:
        rows: list[T] = []
        async for page in self.pages():
            rows += page
        return rows

    def _iterate(self, per_page: int | None, lookahead: int) -> _PageIterator[T]:
        return _PageIterator(_PageFetcher(self._fetch, per_page, lookahead).take, per_page, self._reset_skipped())

    def _reset_skipped(self) -> list[DecodeError]:
        """Start a use with its own list of skipped rows."""
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

    Rows arrive in the list's order. An error is raised after the rows of earlier pages, not wrapped in an exception
    group; resuming the iteration requests its page again. Several tasks may iterate: each row goes to one of them.
    """

    def __init__(
        self, fetch: Fetch[T], per_page: int | None, pages: int, reset_skipped: Callable[[], list[DecodeError]]
    ) -> None:
        self._prefetcher = Prefetcher(_PageJobs(fetch, per_page), pages if per_page is not None else 1)
        self._reset_skipped = reset_skipped
        self._pages = _PageIterator(self._prefetcher.take, per_page, [])
        self._rows = _RowIterator(self._pages)

    @property
    def skipped(self) -> list[DecodeError]:
        """The rows skipped with ``on_error="skip"``: one error per row, in order."""
        return self._pages.skipped

    def pages(self) -> AsyncIterator[list[T]]:
        """Iterate over whole pages instead of rows; none of them is empty."""
        return self._pages

    async def __aenter__(self) -> Self:
        await self._prefetcher.__aenter__()
        self._pages.skipped = self._reset_skipped()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._prefetcher.__aexit__(kind, error, traceback)

    def __aiter__(self) -> AsyncIterator[T]:
        return self._rows

    async def __anext__(self) -> T:
        return await anext(self._rows)


def _is_last(page: Page[T] | None, per_page: int | None) -> bool:
    """Return whether the list ends with *page*."""
    return page is None or per_page is None or page.received < per_page


# Classes instead of async generators: trio warns about a generator that is not exhausted.
class _PageIterator(AsyncIterator[list[T]]):
    """Iterate once over the pages of a list; the lock lets several tasks share the iterator."""

    def __init__(
        self, take: Callable[[], Awaitable[Page[T] | None]], per_page: int | None, skipped: list[DecodeError]
    ) -> None:
        self._take = take
        self._per_page = per_page
        self._ended = False
        self._previous: Page[T] | None = None
        self._lock = anyio.Lock(fast_acquire=True)
        self.skipped = skipped

    async def __anext__(self) -> list[T]:
        async with self._lock:
            while not self._ended:
                page = await self._take()
                self._ended = _is_last(page, self._per_page)
                if page is not None:
                    if self._previous is not None and page.repeats(self._previous):
                        self._ended = True
                        raise DecodeError("the service sent the same page again: it ignores `page`, and has no end")
                    self._previous = page
                    self.skipped += page.skipped
                    if page.rows:
                        return page.rows
        raise StopAsyncIteration


class _RowIterator(AsyncIterator[T]):
    """Iterate over the rows of non-empty pages; the lock lets several tasks share the iterator."""

    def __init__(self, pages: AsyncIterator[list[T]]) -> None:
        self._pages = pages
        self._rows: Iterator[T] = iter(())
        self._lock = anyio.Lock(fast_acquire=True)

    async def __anext__(self) -> T:
        for row in self._rows:
            return row
        async with self._lock:
            for row in self._rows:
                return row  # of a page that another task has just fetched
            self._rows = iter(await anext(self._pages))
            return next(self._rows)


class _PageFetcher(Generic[T]):
    """Fetch pages on demand, *lookahead* at a time."""

    def __init__(self, fetch: Fetch[T], per_page: int | None, lookahead: int) -> None:
        self._fetch = fetch
        self._per_page = per_page
        self._lookahead = 1 if per_page is None else lookahead
        self._fetched: deque[Page[T] | None] = deque()
        self._next_number = 1

    async def take(self) -> Page[T] | None:
        """Return the next page; None past the end."""
        if not self._fetched:
            self._fetched.extend(await self._fetch_batch())
            self._next_number += len(self._fetched)
        return self._fetched.popleft()

    async def _fetch_batch(self) -> list[Page[T] | None]:
        """Fetch the next pages concurrently; errors of pages after the last one are ignored."""
        if self._lookahead == 1:
            return [await self._fetch(self._next_number, self._per_page)]
        fetched: dict[int, Page[T] | Exception | None] = {}

        async def fetch(offset: int) -> None:
            try:
                fetched[offset] = await self._fetch(self._next_number + offset, self._per_page)
            except Exception as error:  # noqa: BLE001 (raised below, outside the exception group)
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


class _PageJobs(AsyncIterator["Callable[[], Awaitable[Page[T] | None]]"]):
    """Give a job for each page, until a job has fetched the last page."""

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
