"""The base class of all resources, and helpers to create something exactly once even if an answer is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import attrs

from segments_async._misuse import no_call
from segments_async._streams.page import Page
from segments_async._streams.pages import Pages
from segments_async._threads import run_sync
from segments_async._wire.arguments import check_count, check_on_error
from segments_async._wire.retry import backoff, is_ambiguous
from segments_async.errors import (
    AlreadyExistsError,
    CollaboratorError,
    DecodeError,
    NotFoundError,
    SegmentsError,
    ServerError,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from segments_async._http.session import Session
    from segments_async._streams.page import Fetch
    from segments_async._streams.pages import Tracking
    from segments_async._wire.arguments import OnError
    from segments_async._wire.endpoint import Endpoint

T = TypeVar("T")

MAX_PER_PAGE = 1000


class Resource:
    """A group of related calls."""

    def __init__(self, session: Session) -> None:
        self._session = session

    if not TYPE_CHECKING:  # type checkers would accept any name

        def __getattr__(self, name: str) -> NoReturn:
            raise no_call(self, name)

    def _pages(
        self,
        endpoint: Endpoint,
        model: type[T],
        *,
        path: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        per_page: int = MAX_PER_PAGE,
        lookahead: int = 1,
        tracking: Tracking[T],
        on_error: OnError = "raise",
    ) -> Pages[T]:
        """Return the pages of a paginated list."""
        fetch = self._page_fetcher(endpoint, model, path=path, params=params, on_error=on_error)
        return self._pages_from(fetch, per_page=per_page, lookahead=lookahead, tracking=tracking)

    def _pages_from(
        self, fetch: Fetch[T], *, per_page: int = MAX_PER_PAGE, lookahead: int = 1, tracking: Tracking[T]
    ) -> Pages[T]:
        """Return the pages that *fetch* fetches."""
        limit = self._session.max_connections
        check_count(per_page, "per_page", MAX_PER_PAGE)
        check_count(lookahead, "lookahead", limit)
        return Pages(fetch, per_page=per_page, lookahead=lookahead, limit=limit, tracking=tracking)

    def _page_fetcher(
        self,
        endpoint: Endpoint,
        model: type[T],
        *,
        path: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        on_error: OnError = "raise",
    ) -> Fetch[T]:
        """Return a function that fetches one page of a list, or returns None after the last page."""
        check_on_error(on_error)
        endpoint.fill(**(path or {}))  # refuses bad names here, not at the first page
        kind = (endpoint.path, *sorted(name for name, value in (params or {}).items() if value is not None))
        longest_pages = self._session.pool.longest_pages

        async def fetch(number: int, per_page: int | None) -> Page[T] | None:
            query = {**(params or {}), "per_page": per_page, "page": number}
            try:
                page = await self._page(endpoint, model, path, query, on_error)
            except NotFoundError as error:
                if number > 1 and "invalid page" in error.detail.lower():
                    return None
                raise
            may_be_cut = longest_pages.may_be_cut(kind, page.received, per_page or 0)
            return attrs.evolve(page, may_be_cut=may_be_cut)

        return fetch

    def _single_page(
        self, endpoint: Endpoint, model: type[T], *, path: Mapping[str, Any], on_error: OnError = "raise"
    ) -> Pages[T]:
        """Return a list that the service does not paginate."""
        check_on_error(on_error)
        endpoint.fill(**path)

        async def fetch(_page: int, _per_page: int | None) -> Page[T]:
            return await self._page(endpoint, model, path, {}, on_error)

        return Pages(fetch, limit=self._session.max_connections)

    async def _page(
        self,
        endpoint: Endpoint,
        model: type[T],
        path: Mapping[str, Any] | None,
        query: Mapping[str, Any],
        on_error: OnError,
    ) -> Page[T]:
        """Fetch a page; it is decoded row by row only if it does not decode as a whole."""
        try:
            rows: list[T] = await self._session.call(endpoint, list[model], path=path, params=query)  # type: ignore[valid-type]
        except DecodeError as error:
            page = query.get("page", 1)
            first = (page - 1) * query.get("per_page", 0)
            read = partial(Page.row_by_row, error, model, page=page, first=first, skip=on_error == "skip")
            return await run_sync(read, abandon_on_cancel=True)  # a large page would block the event loop
        return Page(rows, len(rows))


async def create_once(
    session: Session,
    create: Callable[[], Awaitable[T]],
    find: Callable[[], Awaitable[T]],
    same: Callable[[T], bool],
    *,
    uncertain: bool = False,
) -> T:
    """
    Create something with a unique name exactly once, even if an answer is lost.

    Args:
        session: Gives the retry policy and the clock.
        create: Sends the request.
        find: Looks the thing up by its name, after an ambiguous failure. If it does not exist, it is sent again.
        same: Whether the thing found equals the one sent; then it is returned as created.
        uncertain: Whether there may have been an earlier attempt, such as by an earlier process.

    Raises:
        AlreadyExistsError: Something different with this name exists.
    """
    policy, clock = session.retry, session.clock
    ambiguous: SegmentsError | None = None
    for attempt in range(1, policy.attempts + 1):
        try:
            return await create()
        except SegmentsError as caught:
            error = caught
        # After an ambiguous failure, the name may be taken by our own earlier attempt.
        taken = (uncertain or ambiguous is not None) and isinstance(error, AlreadyExistsError | CollaboratorError)
        if not (taken or is_ambiguous(error)) or (policy.attempts == 1 and not uncertain):
            raise error
        ambiguous = ambiguous or error
        try:
            found = await find()
        except NotFoundError:
            if taken:
                raise error from ambiguous
            if attempt < policy.attempts:
                await clock.sleep(backoff(policy, attempt, clock.random()))
            continue
        except ValidationError:
            raise  # a request that the service refuses creates nothing
        except SegmentsError as failed:
            raise ambiguous from failed
        if same(found):
            return found
        raise AlreadyExistsError(detail="something different with this name exists") from ambiguous
    assert ambiguous is not None
    raise ambiguous


async def create_or_find(
    session: Session,
    create: Callable[[], Awaitable[T]],
    find: Callable[[], Awaitable[T]],
    same: Callable[[T], bool],
    *,
    exist_ok: bool,
) -> T:
    """
    Create something with a unique name, as `create_once` does; with *exist_ok*, return what has the name already.

    Raises:
        AlreadyExistsError: Something with this name exists, and *exist_ok* is False.
    """
    try:
        return await create_once(session, create, find, same)
    except AlreadyExistsError:
        if not exist_ok:
            raise
    return await find()


async def create_unrepeatable(create: Awaitable[T]) -> T:
    """
    Create something that cannot be looked up afterwards, so the request is never sent again.

    Raises:
        OutcomeUnknownError: No answer arrived.
        ServerError: It has a note that the outcome is unknown.
    """
    try:
        return await create
    except ServerError as error:
        if is_ambiguous(error):
            error.add_note("not sent again, as it may have been carried out; check before you try again")
        raise
