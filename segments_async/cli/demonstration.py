"""``segments-async demo``: upload, label, release and download a dataset, then check that it is unchanged."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bars, TextColumn, TimeElapsedColumn
from rich.table import Table

from segments_async import AsyncSegments, BulkReport, LabelPut
from segments_async._counting import counted
from segments_async.cli.pictures import DIGITS, Picture, digits, pictures_in
from segments_async.cli.statuses import CommandError
from segments_async.errors import printable
from segments_async.sandbox import Call, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segments_async import Progress, Sample

DATASET = "demo"
RELEASE = "v1"
LABELSET = "ground-truth"
MAX_PRINTED_PROBLEMS = 10
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
WIDTH_OF_TABLE = 80
NEXT = """
Try next:
  eval "$(segments-async sandbox --env)"
  segments-async datasets create flowers
  segments-async samples upload flowers FOLDER
  segments-async login   (for your own account)"""


@frozen
class Stage:
    """A row of the summary table."""

    name: str
    items: int
    seconds: float
    requests: int
    """Requests that the sandbox counted on both origins."""
    retries: int
    """Requests that failed with a retryable status or without a response."""
    failures: int


def run(folder: Path | None) -> int:
    """Run the demo and return its exit status: 0 only if everything was verified."""
    pictures = digits() if folder is None else pictures_in(folder)
    if not pictures:
        raise CommandError(f"no images in {folder}")
    return anyio.run(_run, pictures)


async def _run(pictures: list[Picture]) -> int:
    console = Console(markup=False, highlight=False)
    async with Sandbox() as sandbox, AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        console.print(f"Sandbox at {sandbox.url}; {counted(len(pictures), 'image')}")
        with tempfile.TemporaryDirectory() as folder:
            stages, problems = await _run_stages(client, sandbox, pictures, Path(folder) / "release.json", console)
    console.print(_table(stages, narrow=console.width < WIDTH_OF_TABLE))
    for problem in problems[:MAX_PRINTED_PROBLEMS]:
        console.print(printable(problem), style="red")
    if problems:
        console.print(counted(len(problems), "problem"), style="bold red")
        return 1
    labels = sum(picture.label is not None for picture in pictures)
    console.print(
        f"Verified: {counted(len(pictures), 'sample')} and {counted(labels, 'label')} match what was sent.",
        style="green",
    )
    console.print(NEXT)
    return 0


async def _run_stages(
    client: AsyncSegments, sandbox: Sandbox, pictures: list[Picture], path: Path, console: Console
) -> tuple[list[Stage], list[str]]:
    """Run all stages; return their measurements and the problems found."""
    stages: list[Stage] = []
    categories = [{"name": str(digit), "id": digit} for digit in range(DIGITS)]
    dataset = await client.datasets.create(
        DATASET, task_type="bboxes", task_attributes={"format_version": "0.1", "categories": categories}
    )
    sandbox.clear_calls()
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console) as bars:
        files = ((picture.name, picture.source) for picture in pictures)
        uploads = await client.samples.upload_files(
            dataset, files, progress=_progress_callback(bars, "upload", len(pictures))
        )
        stages.append(_stage("upload", len(pictures), uploads.elapsed, sandbox.calls, uploads))

        problems = _failures(uploads)

        sent = {picture.name: picture for picture in pictures}
        labels = [
            LabelPut(outcome.uuid, label)
            for outcome in uploads.results
            if outcome.uuid and outcome.key and (label := sent[outcome.key].label)
        ]
        if labels:
            sandbox.clear_calls()
            puts = await client.labels.put_many(labels, progress=_progress_callback(bars, "label", len(labels)))
            stages.append(_stage("label", len(labels), puts.elapsed, sandbox.calls, puts))
            problems += _failures(puts)

    with console.status("release"):
        sandbox.clear_calls()
        started = time.perf_counter()
        await client.releases.create(dataset, RELEASE)
        await client.releases.wait(dataset, RELEASE, poll=0.1)
        await client.releases.download(dataset, RELEASE, path)
        stages.append(_stage("release", 1, time.perf_counter() - started, sandbox.calls))

    content = await anyio.Path(path).read_bytes()
    released = {sample["name"]: sample for sample in json.loads(content)["dataset"]["samples"]}
    return stages, problems + _compare(pictures, uploads, released, sandbox.assets())


def _compare(
    pictures: list[Picture], uploads: BulkReport[Sample], released: dict[str, Any], stored: dict[str, bytes]
) -> list[str]:
    """Compare the release with what was sent and return the differences."""
    problems = []
    uuids = {outcome.key: outcome.uuid for outcome in uploads.results if outcome.succeeded}
    for picture in pictures:
        if picture.name not in uuids:
            continue  # already reported as a failed upload
        sample = released.pop(picture.name, None)
        if sample is None:
            problems.append(f"{picture.name}: not in the release")
            continue
        label = sample["labels"].get(LABELSET)
        if sample["uuid"] != uuids[picture.name]:
            problems.append(f"{picture.name}: the uuid differs from the uploaded sample's")
        if stored.get(sample["attributes"]["image"]["url"]) != picture.content():
            problems.append(f"{picture.name}: the image differs from the one sent")
        if (label and label["attributes"]) != picture.label:
            problems.append(f"{picture.name}: the label differs from the one sent")
    problems += [f"{name}: in the release but never sent" for name in released]
    return problems


def _failures(report: BulkReport[Any]) -> list[str]:
    return [f"{outcome.key}: {outcome.status}: {outcome.error}" for outcome in report.failures]


def _progress_callback(bars: Bars, name: str, total: int) -> Callable[[Progress], None]:
    task = bars.add_task(name, total=total)
    return lambda progress: bars.update(task, completed=progress.done)


def _stage(
    name: str, items: int, seconds: float, calls: Sequence[Call], report: BulkReport[Any] | None = None
) -> Stage:
    retries = sum(
        call.status is None or call.status == TOO_MANY_REQUESTS or call.status >= SERVER_ERROR for call in calls
    )
    failures = report.total - report.succeeded if report is not None else 0
    return Stage(name, items, seconds, len(calls), retries, failures)


def _table(stages: list[Stage], *, narrow: bool) -> Table:
    names = ("items", "seconds", "failures") if narrow else tuple(_CELLS)
    table = Table("", *names)
    for column in table.columns[1:]:
        column.justify = "right"
    for stage in stages:
        table.add_row(stage.name, *(_CELLS[name](stage) for name in names))
    return table


_CELLS: dict[str, Callable[[Stage], str]] = {
    "items": lambda stage: f"{stage.items:,}",
    "seconds": lambda stage: f"{stage.seconds:.2f}",
    "per second": lambda stage: f"{stage.items / stage.seconds:,.0f}",
    "requests": lambda stage: f"{stage.requests:,}",
    "retries": lambda stage: f"{stage.retries:,}",
    "failures": lambda stage: f"{stage.failures:,}",
}
