"""``segments-async workunits``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from segments_async.cli.context import ContextArgument
from segments_async.cli.names import DatasetName
from segments_async.cli.options import command_app, first

app: App = command_app("workunits")

COLUMNS = {
    "created": "created_at",
    "by": "created_by",
    "work": "work_type",
    "sample": "sample_name",
    "next status": "next_label_status",
    "time (ms)": "time",
    "inactive (ms)": "inactive_time",
    "uuid": "uuid",
}


@app.command(name=["list", "ls"])
async def list_(
    dataset: DatasetName,
    /,
    *,
    start: str | None = None,
    end: str | None = None,
    session_metrics: bool = False,
    limit: Annotated[int | None, Parameter(alias="-L")] = None,
    context: ContextArgument,
) -> None:
    """
    List the work units of a dataset, the newest first; times are in milliseconds.

    Args:
        dataset: owner/name, or the name of one of your own.
        start: Only those created from this time on, in UTC: 2026-01-31 or 2026-01-31T12:00:00.
        end: Only those created before this time, in UTC.
        session_metrics: Include the session_time_metrics of each.
        limit: Print this many work units at most.
    """
    async with context.client(dataset) as client:
        units = client.workunits.list(
            context.dataset, start=start, end=end, include_session_time_metrics=session_metrics
        )
        await context.printer.print_list(first(units, limit), COLUMNS)
