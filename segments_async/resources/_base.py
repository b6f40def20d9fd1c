"""What all resources share: calling, paging, and creating a named thing once although answers get lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from anyio.to_thread import run_sync

from segments_async._streams.pages import Page, Pages
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
    from segments_async._streams.pages import Fetch
    from segments_async._wire.arguments import OnError
    from segments_async._wire.endpoint import Endpoint

T = TypeVar("T")

MAX_PER_PAGE = 1000


class Resource:
    """A group of calls."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _pages(
        self,
        endpoint: Endpoint,
        model: type[T],
        *,
        path: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        per_page: int = MAX_PER_PAGE,
        lookahead: int = 1,
        on_error: OnError = "raise",
    ) -> Pages[T]:
        """Describe a list that comes in pages."""
        fetch = self._fetcher(endpoint, model, path=path, params=params, on_error=on_error)
        return self._paged(fetch, per_page=per_page, lookahead=lookahead)

    def _paged(self, fetch: Fetch[T], *, per_page: int = MAX_PER_PAGE, lookahead: int = 1) -> Pages[T]:
        """Describe a list whose pages *fetch* gives."""
        check_count(per_page, "per_page", MAX_PER_PAGE)
        check_count(lookahead, "lookahead", self._session.max_connections)
        return Pages(fetch, per_page=per_page, lookahead=lookahead, limit=self._session.max_connections)

    def _fetcher(
        self,
        endpoint: Endpoint,
        model: type[T],
        *,
        path: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        on_error: OnError = "raise",
    ) -> Fetch[T]:
        """Make a function that fetches a page of a list, or None beyond its end."""
        check_on_error(on_error)
        endpoint.fill(**(path or {}))  # bad names are refused here, not at the first page

        async def fetch(page: int, per_page: int | None) -> Page[T] | None:
            query = {**(params or {}), "per_page": per_page, "page": page}
            try:
                return await self._page(endpoint, model, path, query, on_error)
            except NotFoundError as error:
                if page > 1 and "invalid page" in error.detail.lower():
                    return None
                raise

        return fetch

    def _whole(
        self, endpoint: Endpoint, model: type[T], *, path: Mapping[str, Any], on_error: OnError = "raise"
    ) -> Pages[T]:
        """Describe a list that comes in one piece."""
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
        """Fetch a page; only one that does not fit as a whole is read row by row."""
        try:
            rows: list[T] = await self._session.call(endpoint, list[model], path=path, params=query)  # type: ignore[valid-type]
        except DecodeError as error:
            page = query.get("page", 1)
            first = (page - 1) * query.get("per_page", 0)
            read = partial(Page.row_by_row, error, model, page=page, first=first, skip=on_error == "skip")
            return await run_sync(read, abandon_on_cancel=True)  # a page may be large
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
    Create a thing whose name is unique, although the answer may get lost.

    After an ambiguous failure *find* looks whether it happened: what is there is returned if it is the *same* as what
    was sent; if nothing is there, it is sent again. *uncertain* tells that there may have been an attempt before these.

    Raises:
        AlreadyExistsError: Something else of this name is there.
    """
    policy, clock = session.retry, session.clock
    lost: SegmentsError | None = None
    for attempt in range(1, policy.attempts + 1):
        try:
            return await create()
        except SegmentsError as caught:
            error = caught
        # After a lost answer, a name that is taken may be taken by what was lost.
        taken = (uncertain or lost is not None) and isinstance(error, AlreadyExistsError | CollaboratorError)
        if not (taken or is_ambiguous(error)) or (policy.attempts == 1 and not uncertain):
            raise error
        lost = lost or error
        try:
            found = await find()
        except NotFoundError:
            if taken:
                raise error from lost
            if attempt < policy.attempts:
                await clock.sleep(backoff(policy, attempt, clock.random()))
            continue
        except ValidationError:
            raise  # what is refused as such was not created
        except SegmentsError as failed:
            raise lost from failed  # it could not be found out
        if same(found):
            return found
        raise AlreadyExistsError(detail="something else of this name exists") from lost
    assert lost is not None
    raise lost


async def create_unnamed(create: Awaitable[T]) -> T:
    """
    Create a thing that nothing could find again, so that it is sent once only.

    Raises:
        OutcomeUnknownError: No answer came.
        ServerError: A note on it says that the outcome is unknown.
    """
    try:
        return await create
    except ServerError as error:
        if is_ambiguous(error):
            error.add_note("not sent again, as it may have been carried out: look before you try again")
        raise
