"""Paginated lists."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

import anyio
from attrs import frozen

from segments_async._misuse import NeedsAsyncFor, NeedsAsyncWith, has_no_length, not_a_row
from segments_async._streams.prefetch import Prefetcher
from segments_async._wire.arguments import check_count
from segments_async.errors import DecodeError, ListChangedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Hashable, Iterator
    from types import TracebackType

    from segments_async._streams.page import Fetch, Page
    from segments_async._wire.changes import Watch

T = TypeVar("T")


@frozen
class Tracking(Generic[T]):
    """How to notice that the rows of a list shift while it is read."""

    key: Callable[[T], Hashable]
    """Returns what is unique to a row."""
    watch: Callable[[], Watch] | None = None
    """Starts to watch for writes that shift the list; None if there are none."""
    call: str = ""
    """The call that lists, for the error message."""


class Pages(NeedsAsyncFor, Coroutine[Any, Any, "list[T]"]):
    """
    A paginated list: await it for all rows, or iterate over rows or pages, which are fetched as needed.

    Example::

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

    The service numbers pages, so a row that is created, deleted or moved shifts all later pages. If a call of this
    client, or of one that shares its connections, can have shifted the list since its first page, the next page raises
    `ListChangedError`. To change what you list, read the list to its end first; a bulk call that is passed a `Pages`
    does so itself::

        rows = await client.samples.list("jane/flowers", label_status="REJECTED")
        await client.samples.delete_many("jane/flowers", [row.uuid for row in rows])

    Rows that others create meanwhile do not make a row appear twice.
    """

    def __init__(
        self,
        fetch: Fetch[T],
        *,
        per_page: int | None = None,
        lookahead: int = 1,
        limit: int = 1,
        tracking: Tracking[T] | None = None,
    ) -> None:
        """
        Create a list; nothing is fetched yet.

        Args:
            fetch: Takes a page number (from 1) and a maximum number of rows, and returns that page; None past the end.
            per_page: Rows per page; None if the list has only one page.
            lookahead: Pages fetched at the same time.
            limit: Maximum of *lookahead* and of the argument of `prefetch`.
            tracking: How to notice that rows shift; None does not.
        """
        self._fetch = fetch
        self._per_page = per_page
        self._lookahead = lookahead
        self._limit = limit
        self._tracking = tracking
        self._skipped: list[DecodeError] = []
        self._runs: dict[Any, Coroutine[Any, Any, list[T]]] = {}
        """Its coroutines, by the task of asyncio that was created of it."""

    def __repr__(self) -> str:
        call = self._tracking.call if self._tracking is not None else ""
        return f"<Pages{f' of {call}' if call else ''}: 'await' it for a list of all rows, or write 'async for'>"

    @property
    def skipped(self) -> list[DecodeError]:
        """
        The rows that the latest use skipped with ``on_error="skip"``: one error per row, in order.

        Example::

            pages = client.samples.list("jane/flowers", on_error="skip")
            samples = await pages
            for error in pages.skipped:
                print(error.row, error.path, error.problem)

        Each has `DecodeError.row`, `DecodeError.page`, and the row itself as its `payload`.
        """
        return self._skipped

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._collect().__await__()

    def send(self, value: Any, /) -> Any:
        """Continue as a coroutine: ``asyncio.run`` and ``create_task`` take nothing else."""
        return self._step(lambda coroutine: coroutine.send(value))

    def throw(self, *error: Any) -> Any:
        """Raise an exception in the coroutine, as for a task that is cancelled."""
        return self._step(lambda coroutine: coroutine.throw(*error))

    def close(self) -> None:
        """Close its coroutines."""
        while self._runs:
            self._runs.popitem()[1].close()

    def _step(self, step: Callable[[Coroutine[Any, Any, list[T]]], Any]) -> Any:
        from asyncio import current_task  # noqa: PLC0415 (it may run on trio)

        task = current_task()
        if task not in self._runs:
            self._runs[task] = self._collect()
        try:
            return step(self._runs[task])
        except BaseException:  # it has ended, mostly with StopIteration
            self._runs.pop(task, None)
            raise

    def __aiter__(self) -> AsyncIterator[T]:
        return _RowIterator(self.pages())

    if not TYPE_CHECKING:  # type checkers report it themselves

        def __len__(self) -> NoReturn:
            raise has_no_length(self)

        def __getattr__(self, name: str) -> NoReturn:
            raise not_a_row(self, name)

        def __bool__(self) -> bool:
            return True

    def pages(self) -> AsyncIterator[list[T]]:
        """
        Iterate over whole pages; none of them is empty.

        The iteration ends after a page that is shorter than *per_page*, or missing. A first page that is shorter, but
        has at least 10 rows, may have been cut by the service, so the second one is requested too, unless this client
        has received a longer page of such a list before. No task runs between two steps, so the loop may be left early.

        Raises:
            ListChangedError: Your own write has shifted the rows; see `Pages`.
        """
        return self._iterate(self._per_page, self._lookahead)

    def prefetch(self, pages: int = 4) -> Prefetch[T]:
        """
        Fetch pages in the background while you process earlier ones.

        Example::

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
        return Prefetch(self._fetch, self._per_page, pages, self._reset_skipped, self._tracking)

    async def first(self) -> T | None:
        """
        Fetch only the first row; None if the list is empty.

        Returns:
            The row, or None.
        """
        async for page in self._iterate(None if self._per_page is None else 1, 1):
            return page[0]
        return None

    async def _collect(self) -> list[T]:
        rows: list[T] = []
        async for page in self.pages():
            rows += page
        return rows

    def _iterate(self, per_page: int | None, lookahead: int) -> _PageIterator[T]:
        size = _PageSize(per_page)
        take = _PageFetcher(self._fetch, size, lookahead).take
        return _PageIterator(take, size, self._tracking, self._reset_skipped())

    def _reset_skipped(self) -> list[DecodeError]:
        """Start a use with its own list of skipped rows."""
        self._skipped = []
        return self._skipped


class Prefetch(NeedsAsyncWith, NeedsAsyncFor, Generic[T]):
    """
    A list whose pages are fetched in the background: an async context manager, and an iterator over its rows.

    Example::

        async with client.samples.list("jane/flowers").prefetch(4) as samples:
            async for sample in samples:
                await work_on(sample)

    Rows arrive in the list's order. An error is raised after the rows of earlier pages, not wrapped in an exception
    group; resuming the iteration requests its page again. Several tasks may iterate: each row goes to one of them. Your
    own writes that shift the list end it with `ListChangedError`, as described in `Pages`.
    """

    def __init__(
        self,
        fetch: Fetch[T],
        per_page: int | None,
        pages: int,
        reset_skipped: Callable[[], list[DecodeError]],
        tracking: Tracking[T] | None,
    ) -> None:
        size = _PageSize(per_page)
        self._prefetcher = Prefetcher(_PageJobs(fetch, size), pages if per_page is not None else 1)
        self._reset_skipped = reset_skipped
        self._pages = _PageIterator(self._prefetcher.take, size, tracking, [])
        self._rows = _RowIterator(self._pages)

    @property
    def skipped(self) -> list[DecodeError]:
        """The rows skipped with ``on_error="skip"``: one error per row, in order."""
        return self._pages.skipped

    def pages(self) -> AsyncIterator[list[T]]:
        """Iterate over whole pages instead of rows; none of them is empty."""
        return self._pages

    async def __aenter__(self) -> Self:
        self._pages.start()
        await self._prefetcher.__aenter__()
        self._pages.skipped = self._reset_skipped()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pages.stop()
        await self._prefetcher.__aexit__(kind, error, traceback)

    def __aiter__(self) -> AsyncIterator[T]:
        return self._rows

    async def __anext__(self) -> T:
        return await anext(self._rows)


class _PageSize:
    """
    The number of rows per page: as requested, until the first page shows what the service makes of it.

    Attributes:
        rows: Rows per page; None if the list has only one page.
        is_doubtful: Whether only the second page can show that the first one was not cut.
    """

    def __init__(self, rows: int | None) -> None:
        self.rows = rows
        self.is_doubtful: bool = False
        self._is_known = False

    def learn(self, first: Page[Any] | None) -> None:
        """Learn from the first page. Pages with other numbers, already requested, were cut in the same way."""
        if self._is_known or self.rows is None or first is None:
            return
        self._is_known = True
        received = first.received
        self.is_doubtful = first.may_be_cut
        if self.is_doubtful or received > self.rows:
            self.rows = received

    def is_last(self, page: Page[Any] | None) -> bool:
        """Return whether the list certainly ends with *page*."""
        return page is None or self.rows is None or not page.received or (self._is_known and page.received < self.rows)


# Classes instead of async generators: trio warns about a generator that is not exhausted.
class _PageIterator(AsyncIterator[list[T]]):
    """Iterate once over the pages of a list; the lock lets several tasks share the iterator."""

    def __init__(
        self,
        take: Callable[[], Awaitable[Page[T] | None]],
        size: _PageSize,
        tracking: Tracking[T] | None,
        skipped: list[DecodeError],
    ) -> None:
        self._take = take
        self._size = size
        self._tracking = tracking
        self._watch: Watch | None = None
        self._seen: set[Any] = set()
        """Keys of the rows returned so far."""
        self._started = False
        self._ended = False
        self._buffer: deque[Page[T] | None] = deque()
        self._previous: Page[T] | None = None
        self._repetitions = 0
        self._lock = anyio.Lock(fast_acquire=True)
        self.skipped = skipped

    def start(self) -> None:
        """Start to watch for writes; before the first page is requested."""
        if not self._started and self._tracking is not None and self._tracking.watch is not None:
            self._watch = self._tracking.watch()
            self._seen = self._watch.rows
        self._started = True

    def stop(self) -> None:
        """Stop watching."""
        self._watch = None
        self._seen = set()

    async def __anext__(self) -> list[T]:
        async with self._lock:
            self.start()
            while not self._ended:
                page = await self._next_page()
                rows = [] if page is None else self._accept(page)
                if self._ended:
                    self.stop()
                if rows:
                    return rows
        raise StopAsyncIteration

    async def _next_page(self) -> Page[T] | None:
        """Take the next page, and find out whether it is the last one."""
        is_first = self._previous is None
        if not is_first:
            self._check_unchanged(())
        if not self._buffer:
            self._buffer.append(await self._take())
        if is_first and self._size.is_doubtful and len(self._buffer) == 1:
            # Before its rows are returned: what the caller does with them must not shift the second page.
            second = await self._take()
            first = self._buffer[0]
            is_same = first is not None and second is not None and second.repeats(first)
            self._buffer.append(None if is_same else second)  # the same rows: `page` is ignored, and this is the list
        page = self._buffer.popleft()
        following = self._buffer[0] if self._buffer else page
        self._ended = self._size.is_last(page) or following is None or not following.received
        if page is None and not is_first:
            self._check_unchanged(())
        return page

    def _accept(self, page: Page[T]) -> list[T]:
        """Return the rows of a page that were not returned before."""
        rows, is_first = page.rows, self._previous is None
        if self._tracking is not None and not (is_first and self._ended):
            keys = [self._tracking.key(row) for row in rows]
            if is_first and self._watch is not None:
                self._watch.find_cause(keys)  # the first page is not affected itself
            elif not is_first:
                self._check_unchanged(keys)
                if not self._seen.isdisjoint(keys):
                    rows = [row for key, row in zip(keys, rows, strict=True) if key not in self._seen]
            self._seen.update(keys)
        self._check_progress(page)
        self.skipped += page.skipped
        return rows

    def _check_unchanged(self, keys: Collection[Any]) -> None:
        """
        Check that no write of this client has shifted the list.

        Raises:
            ListChangedError: One has.
        """
        cause = None if self._watch is None else self._watch.find_cause(keys)
        if cause is not None and self._tracking is not None:
            self._ended = False  # every further step raises too
            raise ListChangedError(
                f"the list was changed while it was read ({cause}, by a task of this client), so rows may be skipped; "
                f"read it to its end before anything changes it: rows = await {self._tracking.call}"
            )

    def _check_progress(self, page: Page[T]) -> None:
        """
        Check that the service does not send the same page for ever; rows that others insert repeat one page at most.

        Raises:
            DecodeError: It does.
        """
        if self._previous is not None and page.repeats(self._previous):
            self._repetitions += 1
            if self._tracking is None or self._repetitions > 1:
                self._ended = True
                raise DecodeError("the service sent the same page again: it ignores `page`, and has no end")
        else:
            self._repetitions = 0
        self._previous = page


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

    def __init__(self, fetch: Fetch[T], size: _PageSize, lookahead: int) -> None:
        self._fetch = fetch
        self._size = size
        self._lookahead = 1 if size.rows is None else lookahead
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
            return [await self._fetch_one(self._next_number)]
        fetched: dict[int, Page[T] | Exception | None] = {}

        async def fetch(offset: int) -> None:
            try:
                fetched[offset] = await self._fetch_one(self._next_number + offset)
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
            if self._size.is_last(page):
                break
        return pages

    async def _fetch_one(self, number: int) -> Page[T] | None:
        page = await self._fetch(number, self._size.rows)
        if number == 1:
            self._size.learn(page)
        return page


class _PageJobs(AsyncIterator["Callable[[], Awaitable[Page[T] | None]]"]):
    """Give a job for each page, until a job has fetched the last page."""

    def __init__(self, fetch: Fetch[T], size: _PageSize) -> None:
        self._fetch = fetch
        self._size = size
        self._ended = False
        self._next_number = 1

    async def __anext__(self) -> Callable[[], Awaitable[Page[T] | None]]:
        if self._ended:
            raise StopAsyncIteration
        number = self._next_number
        self._next_number += 1

        async def fetch() -> Page[T] | None:
            page = await self._fetch(number, self._size.rows)
            if number == 1:
                self._size.learn(page)
            self._ended = self._ended or self._size.is_last(page)
            return page

        return fetch
