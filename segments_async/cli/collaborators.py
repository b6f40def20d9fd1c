"""``segments-async collaborators``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from segments_async.cli.context import ContextArgument
from segments_async.cli.names import DatasetName
from segments_async.cli.options import Yes, command_app, confirm
from segments_async.cli.statuses import CommandError

app: App = command_app("collaborators")

Role = Annotated[str, Parameter(help="What the user may do: viewer, labeler, reviewer, manager or admin.")]


@app.command(name=["list", "ls"], show=False)
def list_(dataset: DatasetName, /) -> None:
    """
    Say what to do instead: the service has no call for it.

    Args:
        dataset: owner/name, or the name of one of your own.
    """
    raise CommandError(
        "the service cannot list the collaborators of a dataset",
        hint=f"`segments-async collaborators get {dataset} USER` shows one; `datasets get {dataset}` counts them",
    )


@app.command
async def get(dataset: DatasetName, user: str, /, *, context: ContextArgument) -> None:
    """
    Show a collaborator with their role.

    Args:
        dataset: owner/name, or the name of one of your own.
        user: A username.
    """
    async with context.client(dataset) as client:
        context.printer.print_object(await client.datasets.get_collaborator(context.dataset, user))


@app.command
async def add(dataset: DatasetName, user: str, /, *, role: Role = "labeler", context: ContextArgument) -> None:
    """
    Add a user to a dataset.

    Args:
        dataset: owner/name, or the name of one of your own.
        user: A username.
    """
    async with context.client(dataset) as client:
        added = await client.datasets.add_collaborator(context.dataset, user, role.lower())
        context.printer.print_object(added)


@app.command
async def update(dataset: DatasetName, user: str, /, *, role: Role, context: ContextArgument) -> None:
    """
    Change the role of a collaborator.

    Args:
        dataset: owner/name, or the name of one of your own.
        user: A username.
    """
    async with context.client(dataset) as client:
        changed = await client.datasets.update_collaborator(context.dataset, user, role.lower())
        context.printer.print_object(changed)


@app.command(name=["remove", "delete"])
async def remove(dataset: DatasetName, user: str, /, *, yes: Yes = False, context: ContextArgument) -> None:
    """
    Remove a collaborator; their work is kept.

    Args:
        dataset: owner/name, or the name of one of your own.
        user: A username.
    """
    confirm(f"Remove {user} from {dataset}?", yes=yes)
    async with context.client(dataset) as client:
        await client.datasets.remove_collaborator(context.dataset, user)
        context.printer.remark(f"removed {user}")
