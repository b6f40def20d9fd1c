"""What a strict type checker sees of the public surface; only checkers read this file, nothing runs it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type
from uuid import UUID

import httpx
import numpy as np
import numpy.typing as npt
from PIL import Image

from segments_async import (
    URL,
    Annotation,
    AnyOutcome,
    Asset,
    AsyncSegments,
    BitmapPut,
    BulkReport,
    CalibratedImage,
    Collaborator,
    Dataset,
    DecodeError,
    ExportError,
    Failed,
    FileSample,
    ImageSampleAttributes,
    Issue,
    IssueLocation2D,
    IssueLocationAnchor,
    IssueStatus,
    IssueTrackAnchor,
    Label,
    LabelPut,
    Labelset,
    LabelUpdate,
    Outcome,
    Pages,
    Prefetch,
    RateLimitError,
    RawResponse,
    Release,
    ReleaseItems,
    ReleaseSample,
    RetryPolicy,
    Role,
    Sample,
    SampleCreate,
    SampleUpdate,
    SegmentsError,
    Skipped,
    SkippedItem,
    Succeeded,
    Unsent,
    User,
    Workunit,
    structure,
    unstructure,
)
from segments_async.progress import rich_progress, tqdm_progress


async def construct() -> None:
    AsyncSegments()
    AsyncSegments("key", base_url="http://127.0.0.1", timeout=3, max_connections=8, retry=RetryPolicy(attempts=1))
    AsyncSegments(timeout=httpx.Timeout(5), transport="aiohttp")
    AsyncSegments(http_client=httpx.AsyncClient())
    async with AsyncSegments() as client:
        assert_type(client, AsyncSegments)


async def datasets(client: AsyncSegments) -> None:
    assert_type(client.datasets.list(), Pages[Dataset])
    assert_type(await client.datasets.list("jane"), list[Dataset])
    dataset = await client.datasets.create("flowers", task_type="vector", public=False, exist_ok=True)
    assert_type(dataset, Dataset)
    assert_type(dataset.created_at, datetime | str | None)
    assert_type(await client.datasets.update(dataset, name="roses", readme=None), Dataset)
    assert_type(await client.datasets.add_collaborator(dataset, "joe"), Collaborator)
    await client.datasets.delete("jane/flowers")


async def people(client: AsyncSegments, dataset: Dataset, uuid: str) -> None:
    assert_type(await client.users.me(), User)
    assert_type(await client.users.get("acme"), User)
    assert_type(await client.api_status(), None)
    assert_type(await client.datasets.clone(dataset, name="roses", clone_labels=True), Dataset)
    assert_type(await client.datasets.get_collaborator(dataset, "joe"), Collaborator)
    assert_type(await client.datasets.update_collaborator(dataset, "joe", Role.ADMIN), Collaborator)
    await client.datasets.remove_collaborator(dataset, "joe")
    assert_type(client.labelsets.list(dataset), Pages[Labelset])
    assert_type(await client.labelsets.create(dataset, "model", description="Mine."), Labelset)
    assert_type(await client.workunits.list(dataset, start=datetime.now(UTC)), list[Workunit])
    anchor = IssueLocationAnchor(location=IssueLocation2D(x=1, y=2.5), frame=3)
    issue = await client.issues.create(uuid, "Torn.", status=IssueStatus.OPEN, anchor=anchor)
    assert_type(issue, Issue)
    if isinstance(issue.anchor, IssueTrackAnchor):
        assert_type(issue.anchor.track_number, int)
    assert_type(await client.issues.update(issue.uuid, status="CLOSED", anchor={"type": "basic"}), Issue)
    assert_type(await client.issues.list(dataset), list[Issue])
    await client.issues.delete(issue.uuid)
    await client.issues.update(issue.uuid, state="CLOSED")  # type: ignore[call-arg]


async def samples(client: AsyncSegments, dataset: Dataset, paths: list[Path]) -> None:
    attributes = ImageSampleAttributes(image=URL(url="https://example.com/a.png"))
    sample = await client.samples.create(dataset, "a.png", attributes, priority=1.5, metadata={"city": "London"})
    assert_type(sample, Sample)
    assert_type(await client.samples.update(sample.uuid, assigned_labeler=None), Sample)
    assert_type(await client.samples.list(dataset, label_status=["LABELED"], metadata={"a": 1}).first(), Sample | None)
    async for row in client.samples.list(dataset):
        assert_type(row, Sample)
    async for page in client.samples.list(dataset).pages():
        assert_type(page, list[Sample])
    async with client.samples.list(dataset, on_error="skip").prefetch(4) as rows:
        async for row in rows:
            assert_type(row, Sample)
        async for page in rows.pages():
            assert_type(page, list[Sample])
        assert_type(rows.skipped, list[DecodeError])
    stream = client.samples.stream(dataset, labelset="ground-truth", label_status=["LABELED"])
    assert_type(stream, Prefetch[Sample])
    report = await client.samples.create_many(
        dataset, [SampleCreate("a", attributes), {"name": "b", "attributes": {"image": {"url": "u"}}}], concurrency=4
    )
    assert_type(report, BulkReport[Sample])
    assert_type(report.results, list[AnyOutcome[Sample]])
    assert_type(report.results[0].value, Sample | None)
    assert_type(report.results[0].error, SegmentsError | None)
    assert_type(report.successes, list[Succeeded[Sample] | Skipped[Sample]])
    assert_type([outcome.uuid for outcome in report.successes], list[str])
    assert_type(report.values, list[Sample])
    assert_type(report.failures[0].error, SegmentsError)
    assert_type(report.error_groups, dict[str, list[Failed[Sample]]])
    assert_type(await client.samples.upload_files(dataset, paths), BulkReport[Sample])
    assert_type(await client.samples.update_many([SampleUpdate(sample.uuid, priority=1)]), BulkReport[Sample])
    await client.samples.update_many([{"uuid": sample.uuid, "readme": ""}])
    uuids = await client.samples.uuids(dataset)
    assert_type(uuids, dict[str, str])
    assert_type(await client.samples.delete_many(dataset, uuids.values()), BulkReport[None])
    await client.samples.upload_files(dataset, [("b.png", b"...")])
    await client.samples.upload_files(dataset, [FileSample("c", "0.png", lambda assets: {"image": assets[0].url})])


async def labels(client: AsyncSegments, uuid: str, puts: AsyncIterator[LabelPut]) -> None:
    assert_type(await client.labels.get(uuid), Label)
    assert_type(await client.labels.get(await client.samples.get(uuid)), Label)
    assert_type(await client.labels.put(uuid, "ground-truth", {"annotations": []}, score=0.5), Label)
    assert_type(await client.labels.put_many(puts, on_error="raise"), BulkReport[Label])
    assert_type(await client.labels.update(uuid, "ground-truth", score=None), Label)
    assert_type(await client.labels.update_many([LabelUpdate(uuid, score=1.0)]), BulkReport[Label])
    await client.labels.update_many([{"sample_uuid": uuid, "label_status": None}], labelset="preds")
    assert_type(await client.labels.get_many([uuid]), BulkReport[Label | None])
    await client.labels.get_many([uuid], progress=tqdm_progress("Labels", leave=False))
    await client.labels.get_many([uuid], progress=rich_progress("Labels"))
    assert_type(await client.labels.delete_many([UUID(uuid)]), BulkReport[None])
    async with client.labels.stream_get([uuid]) as found:
        assert_type(await anext(found), AnyOutcome[Label | None])
    async with client.labels.stream_put([LabelPut(uuid, {})]) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, AnyOutcome[Label])
            narrow(outcome)
    assert_type(outcomes.report, BulkReport[Label])


def narrow(outcome: AnyOutcome[Label]) -> None:
    if outcome.status == "done":
        assert_type(outcome, Succeeded[Label])
        assert_type(outcome.uuid, str)
        assert_type(outcome.value, Label)
    if outcome.error is not None:
        assert_type(outcome, Failed[Label])
    if outcome.value is not None:
        assert_type(outcome, Succeeded[Label])
    match outcome:
        case Succeeded(value=label):
            assert_type(label, Label)
        case Skipped(uuid=uuid):
            assert_type(uuid, str)
        case Failed(error=error):
            assert_type(error, SegmentsError)
        case Unsent(item=item):
            assert_type(item, Any)


def handle(outcome: Outcome[Label]) -> None:
    """Functions that take any outcome still take what a report has."""
    assert_type(outcome.value, Label | None)


async def handle_all(client: AsyncSegments, uuid: str) -> None:
    report = await client.labels.put_many([LabelPut(uuid, {})], on_outcome=handle)
    for outcome in report.results:
        handle(outcome)


async def the_rest(client: AsyncSegments) -> None:
    assert_type(await client.releases.wait("jane/flowers", "v1", timeout=5.0), Release)
    assert_type(await client.releases.download("jane/flowers", "v1", "v1.json"), Path)
    async with client.releases.iterate("v1.json", prefetch=4) as items:
        assert_type(items, ReleaseItems)
        assert_type(items.skipped, list[SkippedItem])
        async for item in items:
            assert_type(item.camera, CalibratedImage | None)
            assert_type(item.annotations, Sequence[Annotation | dict[str, Any]])
            sample, image, label, bitmap = item
            assert_type(sample, ReleaseSample)
            assert_type(image, Image.Image | None)
            assert_type(label, Label | None)
            assert_type(bitmap, npt.NDArray[np.uint32] | None)
    report = await client.releases.export("v1.json", "out", "coco-instance", label_status=["LABELED"], on_error="skip")
    assert_type(report.failures, list[ExportError])
    assert_type(await client.assets.upload("a.png"), Asset)
    assert_type(await client.labels.put_bitmap("u-1", "preds", [[0, 1]], [{"id": 1, "category_id": 7}]), Label)
    bitmaps = [BitmapPut("u-1", np.ones((1, 1), np.uint32), [{"id": 1, "category_id": 7}], score=0.5)]
    assert_type(await client.labels.put_bitmaps(bitmaps, labelset="preds", checkpoint="run.db"), BulkReport[Label])
    assert_type(structure({"name": "flowers"}, Dataset), Dataset)
    assert_type(structure([], list[Sample]), list[Sample])
    assert_type(await client.request("GET", "/user"), Any)
    raw = await client.request("GET", "/user", raw=True)
    assert_type(raw, RawResponse)
    assert_type(raw.headers["content-type"], str)
    unstructure(Dataset(name="flowers"))
    try:
        await client.aclose()
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.status, int | None)
