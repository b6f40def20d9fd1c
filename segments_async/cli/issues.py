"""``segments-async issues``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from segments_async.cli.context import ContextArgument
from segments_async.cli.names import DatasetName
from segments_async.cli.options import Yes, confirm, given
from segments_async.cli.statuses import CommandError

app: App = App(name="issues", help="List, create, change and delete issues.", default_parameter=Parameter(negative=""))

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
async def create(uuid: str, description: str, /, *, tag: list[str] | None = None, context: ContextArgument) -> None:
    """
    Report an issue on a sample.

    Args:
        uuid: The sample.
        description: The text of the issue.
        tag: A tag; may be repeated.
    """
    async with context.client() as client:
        context.printer.print_object(await client.issues.create(uuid, description, tags=tag))


@app.command
async def update(
    uuid: str,
    /,
    *,
    status: IssueStatus = None,
    description: str | None = None,
    tag: list[str] | None = None,
    context: ContextArgument,
) -> None:
    """
    Change an issue; fields not named keep their value.

    Args:
        uuid: The issue.
        description: The text of the issue.
        tag: A tag; replaces what there is.
    """
    changes = given(status=_status(status), description=description, tags=tag)
    if not changes:
        raise CommandError("nothing to change", hint="see `segments-async issues update --help`")
    async with context.client() as client:
        context.printer.print_object(await client.issues.update(uuid, **changes))


@app.command
async def delete(uuid: str, /, *, yes: Yes = False, context: ContextArgument) -> None:
    """
    Delete an issue with its comments.

    Args:
        uuid: The issue.
    """
    confirm(f"Delete the issue {uuid} with its comments?", yes=yes)
    async with context.client() as client:
        await client.issues.delete(uuid)
        context.printer.remark(f"deleted {uuid}")


def _status(status: str | None) -> str | None:
    if status is not None and status.upper() not in STATUSES:
        raise CommandError(f"--status: expected {' or '.join(STATUSES)}, got {status!r}")
    return None if status is None else status.upper()
