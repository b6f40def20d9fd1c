from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from segments_async.sandbox.problems import refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import QueryParams

T = TypeVar("T")

MAX_PER_PAGE = 1000


def get_page(items: Sequence[T], query: QueryParams, max_per_page: int = MAX_PER_PAGE) -> Sequence[T]:
    """Return the page of *items* that ``per_page`` and ``page`` select; the first page always exists."""
    requested, number = query.get("per_page", ""), query.get("page", "1")
    per_page = min(int(requested), max_per_page) if requested.isdecimal() and int(requested) else max_per_page
    start = (int(number) - 1) * per_page if number.isdecimal() else -1
    if start < 0 or (start and start >= len(items)):
        raise refused(404, "Invalid page.")
    return items[start : start + per_page]
