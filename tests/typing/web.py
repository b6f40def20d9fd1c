"""A consumer's web application, as strict type checkers see it; it never runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, assert_type

from fastapi import Depends, FastAPI

from segments_async import AsyncSegments, BulkReport, Dataset, InputError, Sample, WebhookError
from segments_async.fastapi import (
    InteractiveSegments,
    Segments,
    Upload,
    UploadJobs,
    UploadStatus,
    WebhookRouter,
    add_error_handlers,
    get_segments,
    interactive,
    lifespan,
    own_choice,
    verified_webhook,
)
from segments_async.sandbox import Sandbox
from segments_async.testing import ManualClock
from segments_async.webhooks import LabelUpdated, ReplayGuard, SampleCreated, SampleUpdated, WebhookEvent, sign, verify


@asynccontextmanager
async def own(app: FastAPI) -> AsyncGenerator[None]:
    yield


app = FastAPI(lifespan=lifespan(AsyncSegments, own))
add_error_handlers(app)
Quick = Annotated[AsyncSegments, interactive(timeout=2, max_wait=0.5)]
Webhook = Annotated[WebhookEvent, Depends(verified_webhook("whsec_...", replay=ReplayGuard()))]


@app.get("/datasets/{owner}/{name}")
async def get(owner: str, name: str, client: Segments, quick: Quick, other: InteractiveSegments) -> str:
    with own_choice():
        assert_type(await client.datasets.get(f"{owner}/{name}"), Dataset)
    assert_type(quick, AsyncSegments)
    return (await other.datasets.get(f"{owner}/{name}")).name


async def override(client: AsyncSegments) -> None:
    app.dependency_overrides[get_segments] = lambda: client


hooks = WebhookRouter(lambda: ["whsec_..."], replay=ReplayGuard(seconds=3600))


@hooks.on(LabelUpdated)
async def labelled(event: LabelUpdated) -> None:
    assert_type(event.dataset, str | None)


@hooks.on(SampleCreated, SampleUpdated)
def changed(event: SampleCreated | SampleUpdated) -> None:
    assert_type(event.event_type, str)


@hooks.on(WebhookEvent)
def everything(event: WebhookEvent) -> None:
    match event:
        case SampleCreated(object=Sample(name=name)):
            assert_type(name, str)
        case _:
            pass


def handle(body: bytes, headers: dict[str, str]) -> int:
    try:
        assert_type(verify(body, headers, ["whsec_...", "whsec_..."]), WebhookEvent)
    except (WebhookError, InputError):
        return 400
    assert_type(sign(body, "whsec_..."), dict[str, str])
    return 204


jobs = UploadJobs("uploads")


@jobs.kind
async def folder(upload: Upload, client: AsyncSegments, *, dataset: str, path: str) -> BulkReport[Sample]:
    files = Path(path).glob("*.jpg")  # noqa: ASYNC240 (a local folder)
    return await client.samples.upload_files(dataset, files, **upload.options())


@app.post("/uploads")
async def begin(event: Webhook) -> UploadStatus:
    status = await jobs.start(folder, dataset="jane/flowers", path="/data")
    assert_type(status, UploadStatus)
    async for change in jobs.watch(status.id):
        assert_type(change.done, int)
    return await jobs.cancel(status.id)


def test(segments_sandbox: Sandbox, segments_clock: ManualClock) -> Any:
    segments_clock.now += 60
    assert_type(segments_sandbox.add_webhook("http://127.0.0.1:8000/"), str)
    return AsyncSegments(clock=segments_clock.settings, transport=segments_sandbox.transport())
