"""Fetch the pages of a list in parts when the service cannot build them whole."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from segments_async._logging import log_safely
from segments_async._streams.page import Page
from segments_async.errors import RequestTimeoutError, ServerError

if TYPE_CHECKING:
    from segments_async._streams.page import Fetch
    from segments_async.errors import DecodeError

T = TypeVar("T")

logger = logging.getLogger("segments_async")

MIN_ROWS = 10
"""Pages are not made smaller than this."""
_GATEWAY_ERRORS = frozenset({502, 504})


class SmallerPages(Generic[T]):
    """
    Halve the page size, as often as needed, after a 502, a 504 or a timeout, and continue at the same row.

    A page is put together from the smaller ones, so the numbers of pages stay the same.

    Args:
        fetch: Fetches a page.
        rows: The name of the rows, for the log.
        has_first: Whether the first page is fetched too.
    """

    def __init__(self, fetch: Fetch[T], rows: str, *, has_first: bool = True) -> None:
        self._fetch = fetch
        self._rows_name = rows
        self._size: int | None = None
        """The largest size that has not failed; None as long as none has."""
        self._cut: int | None = None
        """The size that the service cuts pages to, if it seems to cut the parts of the first page."""
        self._first_fetched = not has_first
        self._waiting: anyio.Event | None = None

    async def fetch(self, number: int, per_page: int | None) -> Page[T] | None:
        """Fetch a page, in parts if necessary; None past the end."""
        if per_page is None:
            return await self._fetch(number, per_page)
        if number > 1:
            return await self._fetch_page(number, per_page)
        try:
            return await self._fetch_page(number, per_page)
        finally:
            self._first_fetched = True
            if self._waiting is not None:
                self._waiting.set()

    async def _fetch_page(self, number: int, per_page: int) -> Page[T] | None:
        start, stop = (number - 1) * per_page, number * per_page
        rows: list[T] = []
        skipped: list[DecodeError] = []
        position, may_be_cut = start, False
        while position < stop:
            size = per_page if self._size is None else min(per_page, self._size)
            if size < per_page and number > 1:
                await self._wait_for_first()
                if self._cut is not None and self._cut < per_page:
                    return await self._fetch_page(number, self._cut)
            try:
                part = await self._fetch(position // size + 1, size)
            except (ServerError, RequestTimeoutError) as error:
                self._shrink(size // 2, error)
                continue
            if size == per_page:
                return part
            if part is None:
                break
            if not position and part.may_be_cut:
                self._cut = part.received
            first = position - position % size
            rows += _rows_between(part, first, position, stop)
            skipped += [error for error in part.skipped if error.row is None or position <= error.row < stop]
            position = min(first + part.received, stop)
            if part.received < size:
                may_be_cut = part.may_be_cut
                break
        if position <= start and number > 1:
            return None
        return Page(rows, max(0, position - start), skipped, may_be_cut)

    async def _wait_for_first(self) -> None:
        """Wait for the first page: if the service cuts its parts, it numbers the others accordingly."""
        if not self._first_fetched:
            if self._waiting is None:
                self._waiting = anyio.Event()
            await self._waiting.wait()

    def _shrink(self, size: int, error: ServerError | RequestTimeoutError) -> None:
        """Use pages of this size from now on; raise *error* if they would not help, or be too small."""
        if not _may_be_too_heavy(error) or size < MIN_ROWS:
            raise error
        if self._size is None or size < self._size:
            self._size = size
            message = "reading %d %s per page from now on, as a larger page failed: %s"
            log_safely(logger, logging.WARNING, message, size, self._rows_name, error)


def _may_be_too_heavy(error: ServerError | RequestTimeoutError) -> bool:
    """Return whether the service may have taken too long to build the page."""
    return error.sent if isinstance(error, RequestTimeoutError) else error.status in _GATEWAY_ERRORS


def _rows_between(page: Page[T], first: int, start: int, stop: int) -> list[T]:
    """Return the rows of *page*, whose first one is row *first* of the list, that are from *start* to before *stop*."""
    if first == start and first + page.received <= stop:
        return page.rows
    invalid = {error.row for error in page.skipped}
    numbers = [number for number in range(first, first + page.received) if number not in invalid]
    return [row for number, row in zip(numbers, page.rows, strict=False) if start <= number < stop]
