"""``segments-async samples``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from segments_async.cli.bulk import Bulk, BulkArgument, BulkCreate, BulkCreateArgument, run_bulk
from segments_async.cli.context import ContextArgument
from segments_async.cli.each import described, for_each
from segments_async.cli.lines import (
    Folders,
    LineNumbers,
    Uuids,
    check_source,
    lines_of_stdin,
    read_items,
    read_uuids,
)
from segments_async.cli.names import DatasetName
from segments_async.cli.options import Conditions, Statuses, Yes, command_app, confirm, first
from segments_async.cli.tables import TableFormat, write_samples

if TYPE_CHECKING:
    pass

app: App = command_app("samples")

COLUMNS = {
    "name": "name",
    "uuid": "uuid",
    "status": "label.label_status",
    "priority": "priority",
    "labeler": "assigned_labeler",
    "created": "created_at",
}
Sort = Literal["name", "created_at", "priority", "gt_label__updated_at"]


@app.command(name=["list", "ls"])
async def list_(
    dataset: DatasetName,
    /,
    *,
    name: str | None = None,
    label_status: Statuses = None,
    metadata: Conditions = None,
    labelset: str | None = None,
    full_labels: bool = False,
    sort: Sort = "name",
    descending: bool = False,
    limit: Annotated[int | None, Parameter(alias="-L")] = None,
    format: TableFormat | None = None,
    context: ContextArgument,
) -> None:
    """
    List the samples of a dataset.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: Only samples whose name contains this.
        labelset: Show each sample's label in this labelset.
        full_labels: With --json, print whole labels instead of their summaries.
        sort: What to sort by.
        descending: Sort from last to first.
        limit: Print this many samples at most.
        format: Write all columns as CSV or Parquet; docs/tables.md has them.
    """
    async with context.client(dataset) as client:
        samples = client.samples.list(
            context.dataset,
            name=name,
            label_status=label_status,
            metadata=metadata,
            labelset=labelset or ("ground-truth" if full_labels else None),
            include_full_label=full_labels,
            sort=sort,
            direction="desc" if descending else "asc",
        )
        if format is None:
            await context.printer.print_list(first(samples, limit), COLUMNS)
        else:
            await write_samples(first(samples, limit), format)


@app.command
async def get(
    uuids: Uuids,
    /,
    *,
    labelset: str | None = None,
    signed_urls: bool = False,
    context: ContextArgument,
) -> int:
    """
    Show samples.

    Args:
        uuids: Their uuids; - reads them from standard input, one a line.
        labelset: Include the label in this labelset.
        signed_urls: Include the signed addresses of files in a private bucket.
    """
    async with context.client() as client:
        get_one = partial(client.samples.get, labelset=labelset, include_signed_urls=signed_urls)
        return await for_each(context, uuids, get_one)


@app.command
async def create(
    dataset: DatasetName, file: str, /, *, bulk: BulkCreateArgument = BulkCreate(), context: ContextArgument
) -> int:
    """
    Create samples whose files are stored somewhere already.

    Args:
        dataset: owner/name, or the name of one of your own.
        file: JSON Lines of samples, each with name and attributes; - is standard input.
    """
    check_source(file)
    lines = LineNumbers()
    async with context.client(dataset, concurrency=bulk.concurrency) as client:
        call = partial(client.samples.create_many, context.dataset, read_items(file, lines))
        return await run_bulk(context, bulk, call, description="create", source=file, lines=lines)


@app.command
async def update(file: str, /, *, bulk: BulkArgument = Bulk(), context: ContextArgument) -> int:
    """
    Change samples; fields not named keep their value.

    Args:
        file: JSON Lines of changes, each with uuid and what changes, such as priority; - is standard input.
    """
    check_source(file)
    lines = LineNumbers()
    async with context.client(concurrency=bulk.concurrency) as client:
        call = partial(client.samples.update_many, read_items(file, lines))
        return await run_bulk(context, bulk, call, description="update", source=file, lines=lines)


@app.command
async def delete(
    dataset: DatasetName,
    uuids: Uuids,
    /,
    *,
    yes: Yes = False,
    bulk: BulkArgument = Bulk(),
    context: ContextArgument,
) -> int:
    """
    Delete samples with their labels.

    Args:
        dataset: owner/name, or the name of one of your own.
        uuids: Their uuids; - reads them from standard input, one a line.
    """
    if not bulk.dry_run:
        confirm(f"Delete {described(uuids, 'sample')} of {dataset} with their labels?", yes=yes)
    lines = lines_of_stdin(uuids)
    async with context.client(dataset, concurrency=bulk.concurrency) as client:
        call = partial(client.samples.delete_many, context.dataset, read_uuids(uuids, lines))
        return await run_bulk(context, bulk, call, description="delete", lines=lines, deletes=True)


@app.command
async def upload(
    dataset: DatasetName,
    folders: Folders,
    /,
    *,
    ignore: list[str] | None = None,
    full_names: bool = False,
    bulk: BulkCreateArgument = BulkCreate(),
    context: ContextArgument,
) -> int:
    """
    Upload files, and create a sample of each.

    Args:
        dataset: owner/name, or the name of one of your own.
        folders: Folders, files or patterns such as 'photos/**/*.jpg'; - reads JSON Lines with file, and also name or
            metadata, from standard input.
        ignore: A pattern of what to leave out of folders, such as '*.tmp'; may be repeated.
        full_names: Name samples by the path below the folder instead of the file's name.
    """
    from segments_async.cli.uploads import find_files, line_of, named_files

    lines = lines_of_stdin(folders, "folders")
    async with context.client(dataset, concurrency=bulk.concurrency) as client:
        files: Any = (
            await find_files(folders, ignore or [], full_names=full_names) if lines is None else named_files(lines)
        )
        call = partial(client.samples.upload_files, context.dataset, files)
        return await run_bulk(context, bulk, call, description="upload", line_of=line_of, lines=lines)


@app.command
async def download(
    dataset: DatasetName,
    folder: Path,
    /,
    *,
    name: str | None = None,
    label_status: Statuses = None,
    metadata: Conditions = None,
    bulk: BulkArgument = Bulk(),
    context: ContextArgument,
) -> int:
    """
    Download the files of samples; files that are there already are kept.

    Args:
        dataset: owner/name, or the name of one of your own.
        folder: Where to write; it is created if it does not exist.
        name: Only samples whose name contains this.
    """
    async with context.client(dataset, concurrency=bulk.concurrency) as client:
        samples = client.samples.list(context.dataset, name=name, label_status=label_status, metadata=metadata)
        call = partial(client.assets.download_many, samples, folder)
        return await run_bulk(context, bulk, call, description="download")
