from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from segments_async._streams.pages import Tracking
from segments_async._wire.arguments import check_name, sort_by
from segments_async._wire.routes import LIST_WORKUNITS
from segments_async.errors import InputError
from segments_async.models import Dataset, Workunit
from segments_async.resources._base import MAX_PER_PAGE, Resource

if TYPE_CHECKING:
    from segments_async._streams.pages import Pages
    from segments_async._wire.arguments import OnError


class Workunits(Resource):
    """
    Work units: the time that people spend on samples, in milliseconds.

    Source: the official SDK, ``get_workunits``.
    """

    def list(
        self,
        dataset: str | Dataset,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        sort: str = "created_at",
        direction: Literal["asc", "desc"] = "desc",
        include_session_time_metrics: bool = False,
        per_page: int = MAX_PER_PAGE,
        lookahead: int = 1,
        on_error: OnError = "raise",
    ) -> Pages[Workunit]:
        """
        List the work units of a dataset, the newest first.

        Example::

            yesterday = datetime.now(UTC) - timedelta(days=1)
            spent = Counter()
            async for unit in client.workunits.list("jane/flowers", start=yesterday):
                spent[unit.created_by] += unit.time / 60_000  # milliseconds to minutes

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            start: Only work units created at this time or later: an aware datetime, sent as UTC to the second, or the
                service's own format, ``"2026-01-31T12:00:00"``, sent as given.
            end: Only work units created up to this time; same formats.
            sort: ``"created_at"``.
            direction: ``"asc"`` or ``"desc"``.
            include_session_time_metrics: Include the `session_time_metrics` of each.
            per_page: Work units per request, 1000 at most.
            lookahead: Pages fetched at the same time.
            on_error: ``"skip"`` leaves out a work unit that does not decode, and reports it in `Pages.skipped`.

        Returns:
            Pages of work units; their times are in milliseconds.

        Raises:
            InputError: A datetime has no time zone.
            NotFoundError: There is no such dataset.
        """
        params = {
            "start": _format_time(start, "start"),
            "end": _format_time(end, "end"),
            "sort": sort_by(sort, direction),
            "include_session_time_metrics": "true" if include_session_time_metrics else None,
        }
        path = {"dataset": dataset}
        return self._pages(
            LIST_WORKUNITS,
            Workunit,
            path=path,
            params=params,
            per_page=per_page,
            lookahead=lookahead,
            tracking=Tracking(attrgetter("uuid")),
            on_error=on_error,
        )


def _format_time(value: datetime | str | None, path: str) -> str | None:
    """Format a time as the service expects it: in UTC, without a zone and without fractions of a second."""
    if value is None:
        return None
    if isinstance(value, str):
        return check_name(value, path)
    if not isinstance(value, datetime):
        raise InputError(f"expected a datetime or a string, got {type(value).__name__}", path=path)
    if value.tzinfo is None:
        raise InputError("a time needs a zone, as in datetime.now(UTC)", path=path)
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
