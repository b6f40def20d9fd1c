"""``segments-async issues``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from segments_async.cli.context import ContextArgument
from segments_async.cli.each import described, for_each
from segments_async.cli.lines import Uuids
from segments_async.cli.names import DatasetName
from segments_async.cli.options import Yes, command_app, confirm, given
from segments_async.cli.statuses import CommandError

if TYPE_CHECKING:
    from segments_async import AsyncSegments
    from segments_async.cli.context import Context

app: App = command_app("issues")

STATUSES = ("OPEN", "CLOSED")
COLUMNS = {
    "uuid": "uuid",
    "sample": "sample_name",
    "status": "status",
    "by": "created_by",
    "created": "created_at",
    "description": "description",
}

IssueStatus = Annotated[str | None, Parameter(help="OPEN or CLOSED, in upper or lower case.")]


@app.command(name=["list", "ls"])
async def list_(dataset: DatasetName, /, *, status: IssueStatus = None, context: ContextArgument) -> None:
    """
    List the issues of a dataset.

    Args:
        dataset: owner/name, or the name of one of your own.
    """
    wanted = _status(status)
    async with context.client(dataset) as client:
        issues = await client.issues.list(context.dataset)
        await context.printer.print_list((i for i in issues if wanted is None or i.status == wanted), COLUMNS)


@app.command
async def create(uuid: str, description: str, /, *, tag: list[str] | None = None, context: ContextArgument) -> int:
    """
    Report an issue on a sample.

    Args:
        uuid: The sample; - reads samples from standard input, one a line, which all get the issue.
        description: The text of the issue.
        tag: A tag; may be repeated.
    """
    async with context.client() as client:
        return await for_each(context, [uuid], partial(client.issues.create, description=description, tags=tag))


@app.command
async def update(
    uuids: Uuids,
    /,
    *,
    status: IssueStatus = None,
    description: str | None = None,
    tag: list[str] | None = None,
    context: ContextArgument,
) -> int:
    """
    Change issues; fields not named keep their value.

    Args:
        uuids: Their uuids; - reads them from standard input, one a line.
        description: The text of the issue.
        tag: A tag; replaces what there is.
    """
    changes = given(status=_status(status), description=description, tags=tag)
    if not changes:
        raise CommandError("nothing to change", hint="see `segments-async issues update --help`")
    async with context.client() as client:
        return await for_each(context, uuids, partial(client.issues.update, **changes))


@app.command
async def delete(uuids: Uuids, /, *, yes: Yes = False, context: ContextArgument) -> int:
    """
    Delete issues with their comments.

    Args:
        uuids: Their uuids; - reads them from standard input, one a line.
    """
    confirm(f"Delete {described(uuids, 'issue')} with their comments?", yes=yes)
    async with context.client() as client:
        return await for_each(context, uuids, partial(_delete_one, context, client))


async def _delete_one(context: Context, client: AsyncSegments, uuid: str) -> None:
    await client.issues.delete(uuid)
    context.printer.remark(f"deleted {uuid}")


def _status(status: str | None) -> str | None:
    if status is not None and status.upper() not in STATUSES:
        raise CommandError(f"--status: expected {' or '.join(STATUSES)}, got {status!r}")
    return None if status is None else status.upper()
