"""What all resources share: calling, paging, and creating a named thing once although answers get lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from segments_async._paging import Pages
from segments_async._wire.arguments import check_count
from segments_async._wire.retry import backoff, is_ambiguous
from segments_async.errors import AlreadyExistsError, CollaboratorError, NotFoundError, SegmentsError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from segments_async._session import Session
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
    ) -> Pages[T]:
        """Describe a list that comes in pages."""
        check_count(per_page, "per_page", MAX_PER_PAGE)
        check_count(lookahead, "lookahead", self._session.max_connections)
        endpoint.fill(**(path or {}))  # bad names are refused here, not at the first page

        async def fetch(page: int, per_page: int | None) -> list[T] | None:
            query = {**(params or {}), "per_page": per_page, "page": page}
            try:
                return await self._session.call(endpoint, list[model], path=path, params=query)  # type: ignore[valid-type]
            except NotFoundError as error:
                if page > 1 and "invalid page" in error.detail.lower():
                    return None
                raise

        return Pages(fetch, per_page=per_page, lookahead=lookahead)

    def _whole(self, endpoint: Endpoint, model: type[T], *, path: Mapping[str, Any]) -> Pages[T]:
        """Describe a list that comes in one piece."""
        endpoint.fill(**path)

        async def fetch(_page: int, _per_page: int | None) -> list[T]:
            return await self._session.call(endpoint, list[model], path=path)  # type: ignore[valid-type]

        return Pages(fetch)


async def create_once(
    session: Session,
    create: Callable[[], Awaitable[T]],
    find: Callable[[], Awaitable[T]],
    same: Callable[[T], bool],
) -> T:
    """
    Create a thing whose name is unique, although the answer may get lost.

    After an ambiguous failure *find* looks whether it happened: what is there is returned if it is the *same* as what
    was sent; if nothing is there, it is sent again.

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
        taken = lost is not None and isinstance(error, AlreadyExistsError | CollaboratorError)
        if policy.attempts == 1 or not (taken or is_ambiguous(error)):
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
