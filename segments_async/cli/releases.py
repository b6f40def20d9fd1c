"""``segments-async releases``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, cast

from cyclopts import App, Parameter

from segments_async.cli.context import ContextArgument
from segments_async.cli.lines import STDIN, whole_file
from segments_async.cli.names import DatasetName
from segments_async.cli.options import Conditions, Labelset, Statuses, Yes, command_app, confirm
from segments_async.cli.streams import output

if TYPE_CHECKING:
    from segments_async import AsyncSegments, ReleaseSummary
    from segments_async.cli.printing import Printer
    from segments_async.export import ExportFormat, ExportReport

app: App = command_app("releases")

COLUMNS = {
    "name": "name",
    "status": "status",
    "samples": "samples_count",
    "created": "created_at",
    "description": "description",
}
WAIT_SECONDS = 3600.0


@app.command(name=["list", "ls"])
async def list_(dataset: DatasetName, /, *, context: ContextArgument) -> None:
    """
    List the releases of a dataset.

    Args:
        dataset: owner/name, or the name of one of your own.
    """
    async with context.client(dataset) as client:
        await context.printer.print_list(client.releases.list(context.dataset), COLUMNS)


@app.command
async def create(
    dataset: DatasetName,
    name: str,
    /,
    *,
    description: str = "",
    exist_ok: bool = False,
    wait: bool = False,
    timeout: float = WAIT_SECONDS,
    context: ContextArgument,
) -> None:
    """
    Create a release, a snapshot of a dataset with its labels.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: Unique in its dataset.
        description: A short text for readers.
        exist_ok: Show the release if there is one of this name already; it stays as it is.
        wait: Wait until it is built.
        timeout: Seconds to wait at most.
    """
    async with context.client(dataset) as client:
        release = await client.releases.create(context.dataset, name, description=description, exist_ok=exist_ok)
        if wait:
            context.printer.remark(f"waiting for {name}")
            release = await client.releases.wait(context.dataset, name, timeout=timeout)
        context.printer.print_object(release)


@app.command
async def get(dataset: DatasetName, name: str, /, *, context: ContextArgument) -> None:
    """
    Show a release.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: The release.
    """
    async with context.client(dataset) as client:
        context.printer.print_object(await client.releases.get(context.dataset, name))


@app.command
async def download(dataset: DatasetName, name: str, file: Path | None = None, /, *, context: ContextArgument) -> None:
    """
    Download the file of a release; an interrupted download resumes.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: The release.
        file: Where to write; by default dataset-release.json in this folder. - is standard output.
    """
    async with context.client(dataset) as client:
        full_name = context.dataset
        if str(file) == STDIN:
            await _print_file(client, full_name, name)
            return
        target = file or Path(f"{full_name.partition('/')[2]}-{name}.json".replace("/", "_"))
        path = await client.releases.download(full_name, name, target, progress=context.printer.progress("download"))
        context.printer.print_path(path)


@app.command
async def delete(dataset: DatasetName, name: str, /, *, yes: Yes = False, context: ContextArgument) -> None:
    """
    Delete a release; samples and labels are kept.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: The release.
    """
    confirm(f"Delete the release {name} of {dataset}?", yes=yes)
    async with context.client(dataset) as client:
        await client.releases.delete(context.dataset, name)
        context.printer.remark(f"deleted {name}")


@app.command
async def export(
    release: str,
    folder: str,
    format: str,
    last: Annotated[str | None, Parameter(show=False)] = None,
    /,
    *,
    name: str | None = None,
    labelset: Labelset = "ground-truth",
    label_status: Statuses = None,
    metadata: Conditions = None,
    id_increment: int | None = None,
    no_images: bool = False,
    overwrite: bool = False,
    skip: bool = False,
    context: ContextArgument,
) -> int:
    """
    Write the images and labels of a release as COCO, YOLO, PNGs, polygons or tables.

    Formats: coco-instance, coco-panoptic, instance, instance-color, polygon, semantic, semantic-color, yolo; and
    parquet, which writes samples.parquet and labels.parquet (docs/tables.md has their columns) without images.

    Args:
        release: A release file, - for standard input, or a dataset with --name. DATASET NAME FOLDER FORMAT
            works too.
        folder: Where to write.
        format: One of the formats above.
        name: The release, if it is not in a file.
        id_increment: Added to each category id; by default 0, or for yolo: numbered from 0, in order.
        no_images: Write only the labels.
        overwrite: Replace other exports in the folder.
        skip: Skip samples that cannot be exported.
    """
    if last is not None:
        name, folder = folder, format
    with whole_file(release) as file:
        async with context.client(None if name is None else release, key_needed=name is not None) as client:
            report = await client.releases.export(
                context.dataset or file,
                folder,
                cast("ExportFormat", last or format),
                name=name,
                labelset=labelset,
                label_status=label_status,
                metadata=metadata,
                id_increment=id_increment,
                images=not no_images,
                overwrite=overwrite,
                on_error="skip" if skip else "raise",
                progress=context.printer.progress("export"),
            )
    _print_report(report, context.printer)
    return 1 if report.failures else 0


@app.command
async def summary(file: str, name: str | None = None, /, *, context: ContextArgument) -> None:
    """
    Count the samples, labels and annotations of a release.

    Args:
        file: A release file, - for standard input, or a dataset with the name of the release.
        name: The release, if it is not in a file.
    """
    with whole_file(file) as path:
        async with context.client(None if name is None else file, key_needed=name is not None) as client:
            counted = await client.releases.summary(context.dataset or path, name)
    _print_summary(counted, context.printer)


async def _print_file(client: AsyncSegments, dataset: str, name: str) -> None:
    """Write the file of a release to standard output, once it is here as a whole."""
    with TemporaryDirectory() as folder:
        path = await client.releases.download(dataset, name, Path(folder) / "release.json")
        with path.open("rb") as file, output():
            sys.stdout.flush()
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _print_report(report: ExportReport, printer: Printer) -> None:
    if printer.json:
        printer.print_line(
            {
                "file": None if report.file is None else str(report.file),
                "folder": str(report.folder),
                "samples": report.samples,
                "unlabeled": report.unlabeled,
                "left_out": report.left_out,
                "failures": [str(failure) for failure in report.failures],
            }
        )
    else:
        where = report.file or report.folder
        printer.print_text(f"{report.samples:,} exported to {where}, {report.unlabeled:,} without a label")
        for reason, count in report.left_out.items():
            printer.print_text(f"left out: {reason} ({count:,})")
    for failure in report.failures:
        printer.message(str(failure))


def _print_summary(summary: ReleaseSummary, printer: Printer) -> None:
    from attrs import asdict

    if printer.json:
        printer.print_line(asdict(summary))
        return
    rows = [("samples", "", summary.samples)]
    for name, labelset in summary.labelsets.items():
        rows.append((name, "labels", labelset.labels))
        rows += [(name, status, count) for status, count in labelset.statuses.items()]
        rows += [(name, f"category {category}", count) for category, count in labelset.categories.items()]
    printer.print_rows(rows, ["labelset", "what", "count"])
