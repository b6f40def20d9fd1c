"""``segments-async labelsets``."""

from __future__ import annotations

from cyclopts import App

from segments_async.cli.context import ContextArgument
from segments_async.cli.names import DatasetName
from segments_async.cli.options import Yes, command_app, confirm

app: App = command_app("labelsets")

COLUMNS = {
    "name": "name",
    "ground truth": "is_groundtruth",
    "created": "created_at",
    "description": "description",
}


@app.command(name=["list", "ls"])
async def list_(dataset: DatasetName, /, *, context: ContextArgument) -> None:
    """
    List the labelsets of a dataset.

    Args:
        dataset: owner/name, or the name of one of your own.
    """
    async with context.client(dataset) as client:
        await context.printer.print_list(client.labelsets.list(context.dataset), COLUMNS)


@app.command
async def get(dataset: DatasetName, name: str, /, *, context: ContextArgument) -> None:
    """
    Show a labelset.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: The labelset.
    """
    async with context.client(dataset) as client:
        context.printer.print_object(await client.labelsets.get(context.dataset, name))


@app.command
async def create(
    dataset: DatasetName,
    name: str,
    /,
    *,
    description: str = "",
    exist_ok: bool = False,
    context: ContextArgument,
) -> None:
    """
    Create a labelset, such as for the predictions of a model.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: Unique in its dataset.
        description: A short text for readers.
        exist_ok: Show the labelset if there is one of this name already.
    """
    async with context.client(dataset) as client:
        created = await client.labelsets.create(context.dataset, name, description=description, exist_ok=exist_ok)
        context.printer.print_object(created)


@app.command
async def delete(dataset: DatasetName, name: str, /, *, yes: Yes = False, context: ContextArgument) -> None:
    """
    Delete a labelset with its labels.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: The labelset.
    """
    confirm(f"Delete the labelset {name} of {dataset} with its labels?", yes=yes)
    async with context.client(dataset) as client:
        await client.labelsets.delete(context.dataset, name)
        context.printer.remark(f"deleted {name}")
