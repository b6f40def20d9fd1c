"""``segments-async labels``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cyclopts import App

from segments_async._counting import counted
from segments_async.cli.bulk import Bulk, BulkArgument, run_bulk
from segments_async.cli.context import ContextArgument
from segments_async.cli.each import described
from segments_async.cli.lines import (
    STDIN,
    LineNumbers,
    Uuids,
    check_source,
    lines_of_stdin,
    read_items,
    read_uuids,
    whole_file,
)
from segments_async.cli.names import DatasetName
from segments_async.cli.options import Labelset, Yes, command_app, confirm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async import AnyOutcome
    from segments_async.cli.context import Context

MAX_PROBLEMS = 20
"""Problems of an import that are printed."""

app: App = command_app("labels")


@app.command
async def get(
    uuids: Uuids,
    /,
    *,
    labelset: Labelset = "ground-truth",
    bulk: BulkArgument = Bulk(),
    context: ContextArgument,
) -> int:
    """
    Print labels, as JSON Lines that labels put reads.

    Args:
        uuids: The uuids of samples; - reads them from standard input, one a line.
    """
    lines = lines_of_stdin(uuids)
    async with context.client(concurrency=bulk.concurrency) as client:
        if len(uuids) == 1 and uuids != [STDIN] and bulk == Bulk():
            context.printer.print_object(await client.labels.get(uuids[0], labelset))
            return 0
        call = partial(client.labels.get_many, read_uuids(uuids, lines), labelset=labelset)
        return await run_bulk(context, bulk, call, description="labels", show=_label_of, lines=lines)


@app.command
async def put(
    file: str,
    /,
    *,
    labelset: Labelset = "ground-truth",
    dataset: DatasetName | None = None,
    bulk: BulkArgument = Bulk(),
    context: ContextArgument,
) -> int:
    """
    Set labels; a label that a sample has already is replaced.

    Args:
        file: JSON Lines of labels, each with sample_uuid and attributes; - is standard input.
        labelset: For labels that do not name one.
        dataset: Refuse categories that this dataset does not have.
    """
    check_source(file)
    lines = LineNumbers()
    async with context.client(dataset, concurrency=bulk.concurrency) as client:
        known = None if dataset is None else await client.datasets.get(context.dataset)
        call = partial(client.labels.put_many, read_items(file, lines), labelset=labelset, dataset=known)
        return await run_bulk(context, bulk, call, description="labels", source=file, lines=lines)


@app.command(name="import")
async def import_(
    dataset: DatasetName,
    file: str,
    /,
    *,
    format: str | None = None,
    images: str | None = None,
    labelset: Labelset = "ground-truth",
    create: bool = False,
    lossy: bool = False,
    task_type: str | None = None,
    bulk: BulkArgument = Bulk(),
    context: ContextArgument,
) -> int:
    """
    Import annotations of another tool: upload the images that are missing, and set their labels.

    Args:
        dataset: owner/name, or the name of one of your own.
        file: The file or folder of annotations; - is standard input.
        format: The format, such as coco-instance or yolo; by default it is found out.
        images: The folder of the images, or the start of their URLs.
        create: Create the dataset with the categories of the file, and the labelset, unless they exist.
        lossy: Also convert what changes in the process, such as masks to polygons along their contours.
        task_type: The task type of a new dataset; by default the one that loses least.
    """
    with whole_file(file) as path:
        async with context.client(dataset, concurrency=bulk.concurrency) as client:
            call = partial(
                client.datasets.import_annotations,
                context.dataset,
                path,
                format=format,
                images=images,
                labelset=labelset,
                create=create,
                lossy=lossy,
                task_type=task_type,
            )
            described_call = partial(_import_and_describe, context, call)
            return await run_bulk(context, bulk, described_call, description="import", line_of=_image_of)


async def _import_and_describe(
    context: Context,
    call: Callable[..., Awaitable[Any]],
    *,
    on_outcome: Callable[[AnyOutcome[Any]], object],
    **options: Any,
) -> Any:
    """Import, and print what is not in the outcomes."""
    report = await call(**options, on_outcome=_without_labels_of_missing_images(on_outcome))
    for problem in report.problems[:MAX_PROBLEMS]:
        context.printer.message(context.worded(str(problem)))
    if report.problem_count > MAX_PROBLEMS:
        context.printer.message(f"and {counted(report.problem_count - MAX_PROBLEMS, 'more problem')}")
    for title, counts in (("left out", report.left_out), ("changed", report.changed)):
        for words, count in counts.items():
            context.printer.message(f"{title}: {context.worded(words)} ({count:,})")
    return report


def _without_labels_of_missing_images(note: Callable[[AnyOutcome[Any]], object]) -> Callable[[AnyOutcome[Any]], None]:
    """Return a callback that passes on each outcome, unless it is of a label whose image has failed already."""
    failed: set[int] = set()

    def note_once(outcome: AnyOutcome[Any]) -> None:
        if outcome.status == "failed":
            failed.add(outcome.index)
        elif outcome.status == "unsent" and outcome.index in failed:
            return
        note(outcome)

    return note_once


def _image_of(item: Any) -> dict[str, Any]:
    """Return the line of an image or a label in the file of ``--failures``."""
    return {
        "image": item if isinstance(item, str) else getattr(item, "image", None) or getattr(item, "name", str(item))
    }


@app.command
async def update(
    file: str,
    /,
    *,
    labelset: Labelset = "ground-truth",
    bulk: BulkArgument = Bulk(),
    context: ContextArgument,
) -> int:
    """
    Change labels; fields not named keep their value.

    Args:
        file: JSON Lines of changes, each with sample_uuid and what changes, such as label_status; - is standard input.
        labelset: For changes that do not name one.
    """
    check_source(file)
    lines = LineNumbers()
    async with context.client(concurrency=bulk.concurrency) as client:
        call = partial(client.labels.update_many, read_items(file, lines), labelset=labelset)
        return await run_bulk(context, bulk, call, description="labels", source=file, lines=lines)


@app.command
async def delete(
    uuids: Uuids,
    /,
    *,
    labelset: Labelset = "ground-truth",
    yes: Yes = False,
    bulk: BulkArgument = Bulk(),
    context: ContextArgument,
) -> int:
    """
    Delete the labels of samples.

    Args:
        uuids: The uuids of samples; - reads them from standard input, one a line.
    """
    if not bulk.dry_run:
        confirm(f"Delete the labels of {described(uuids, 'sample')} in {labelset}?", yes=yes)
    lines = lines_of_stdin(uuids)
    async with context.client(concurrency=bulk.concurrency) as client:
        call = partial(client.labels.delete_many, read_uuids(uuids, lines), labelset=labelset)
        return await run_bulk(context, bulk, call, description="delete", lines=lines)


def _label_of(outcome: AnyOutcome[Any]) -> Any:
    """Return what is printed of a label; of a sample without one, nothing is."""
    return outcome.value
