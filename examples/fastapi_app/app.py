"""The application: routes and webhook handlers."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attrs import field, frozen
from fastapi import Depends, FastAPI, Header, HTTPException, Path as PathParameter, Request
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from examples.fastapi_app import labeller
from examples.fastapi_app.live import Live
from examples.fastapi_app.pictures import MAX_BODY_BYTES, MAX_FILE_BYTES, MAX_FILES
from examples.fastapi_app.uploads import Accepted, PictureUploads
from examples.fastapi_app.views import LabelChange, PageData, SampleRemoved, label_view, sample_view
from segments_async import AsyncSegments, Label, Sample
from segments_async.fastapi import InteractiveSegments, WebhookRouter, add_error_handlers, lifespan, own_choice
from segments_async.webhooks import (
    LabelDeleted,
    LabelUpdated,
    ReplayGuard,
    SampleCreated,
    SampleDeleted,
    SampleUpdated,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

STATIC = Path(__file__).parent / "static"
LABELSET = "ground-truth"
MAX_SAMPLES = 60
"""Maximum number of samples on the page."""
PAGE_HEADERS = {
    # Only the page's own scripts run, whatever an uploaded file contains; images may come from the storage.
    "Content-Security-Policy": "default-src 'self'; img-src * data:; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@frozen(kw_only=True)
class Settings:
    """Settings of an installation; the API key belongs to the client."""

    dataset: str
    """The dataset, as ``"owner/name"``."""
    secret: str = field(repr=False)
    """The secret of the webhook endpoint."""
    folder: Path = field(converter=Path)
    """For data that survives a restart."""
    plays_labeller: bool = False
    """Whether the page may request simulated labels; for sandboxes."""
    redis_url: str | None = field(default=None, repr=False)
    """The queue for uploads that workers run; None if they run in the web process."""


def settings_from_environment() -> Settings:
    """Read the settings of your own dataset from environment variables."""
    return Settings(
        dataset=os.environ["SEGMENTS_DATASET"],
        secret=os.environ["SEGMENTS_WEBHOOK_SECRET"],
        folder=os.environ.get("UPLOADS_FOLDER", "uploads"),
        plays_labeller=bool(os.environ.get("PLAYS_LABELLER")),
        redis_url=os.environ.get("REDIS_URL"),
    )


def from_environment() -> FastAPI:
    """
    Create the application for your own dataset, configured by environment variables.

    Example:
        ::

            uvicorn --factory examples.fastapi_app.app:from_environment
    """
    return make_app(settings_from_environment(), AsyncSegments)


def make_app(settings: Settings, factory: Callable[[], AsyncSegments]) -> FastAPI:
    """
    Create the application.

    Args:
        settings: The settings of this installation.
        factory: Creates the client.
    """
    live, categories = Live(), dict[int, str]()
    uploads = PictureUploads(settings.dataset, settings.folder, settings.redis_url)

    @asynccontextmanager
    async def load_categories(app: FastAPI) -> AsyncIterator[None]:
        """Load the category names; a wrong dataset or API key fails here, not at the first request."""
        dataset = await app.state.segments.datasets.get(settings.dataset)
        found = dataset.task_attributes and dataset.task_attributes.categories
        categories.update({category.id: category.name for category in found or ()})
        yield

    app = FastAPI(title="Images to label", lifespan=lifespan(factory, load_categories))
    app.state.live = live
    add_error_handlers(app)
    app.include_router(uploads.jobs, prefix="/uploads", dependencies=[SAME_ORIGIN_ONLY])
    app.include_router(_hooks(settings, live, categories), prefix="/webhooks/segments")
    if settings.plays_labeller:
        app.include_router(labeller.router, dependencies=[SAME_ORIGIN_ONLY])
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers=PAGE_HEADERS)

    @app.get("/samples")
    async def samples(client: InteractiveSegments) -> PageData:
        position = live.position  # read before the list, so that no event is missed in between
        with own_choice():
            dataset = await client.datasets.get(settings.dataset)
            newest = await _newest(client, settings.dataset)
        return PageData(
            dataset=settings.dataset,
            samples=[sample_view(sample, categories) for sample in newest],
            total=max(int(dataset.samples_count or 0), len(newest)),
            position=position,
            plays_labeller=settings.plays_labeller,
            max_files=MAX_FILES,
            max_file_bytes=MAX_FILE_BYTES,
            max_body_bytes=MAX_BODY_BYTES,
        )

    @app.get("/events")
    async def events(after: int, last_event_id: Annotated[int | None, Header()] = None) -> StreamingResponse:
        stream = live.stream(after if last_event_id is None else last_event_id)
        return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM_HEADERS)

    @app.post("/images", status_code=202, dependencies=[SAME_ORIGIN_ONLY])
    async def receive(request: Request, x_form: Annotated[str | None, Header(max_length=64)] = None) -> Accepted:
        return await uploads.receive(request, x_form)

    @app.delete("/images/{form}", status_code=204, dependencies=[SAME_ORIGIN_ONLY])
    async def withdraw(form: Annotated[str, PathParameter(max_length=64)]) -> None:
        await uploads.withdraw(form)

    return app


async def _check_origin(
    request: Request,
    sec_fetch_site: Annotated[str | None, Header()] = None,
    origin: Annotated[str | None, Header()] = None,
) -> None:
    """Reject requests that a page of another site makes a browser send."""
    if sec_fetch_site is not None:
        allowed = sec_fetch_site in {"same-origin", "none"}
    else:  # older browsers send only an Origin, and programs that are not browsers neither
        allowed = origin is None or _is_own_origin(origin, request.headers.get("host", ""))
    if not allowed:
        raise HTTPException(403, "Only requests from the application's own page are allowed.")


def _is_own_origin(origin: str, host: str) -> bool:
    """Compare an Origin header with a Host header; either may omit the default port of the scheme."""
    scheme, _, authority = origin.lower().partition("://")
    default_port = {"http": ":80", "https": ":443"}.get(scheme)
    if default_port is None:
        return False
    own = host.lower().removesuffix(default_port)
    return own != "" and authority.removesuffix(default_port) == own


SAME_ORIGIN_ONLY: Any = Depends(_check_origin)


async def _newest(client: AsyncSegments, dataset: str) -> list[Sample]:
    pages = client.samples.list(
        dataset,
        labelset=LABELSET,
        include_full_label=True,
        sort="created_at",
        direction="desc",
        per_page=MAX_SAMPLES,
    ).pages()
    return await anext(pages, [])


def _hooks(settings: Settings, live: Live, categories: dict[int, str]) -> WebhookRouter:
    """Publish changes of the dataset to all open pages."""
    hooks = WebhookRouter(settings.secret, replay=ReplayGuard())

    @hooks.on(SampleCreated, SampleUpdated)
    async def sample(event: SampleCreated | SampleUpdated) -> None:
        if event.dataset == settings.dataset and isinstance(event.object, Sample):
            name = "created" if isinstance(event, SampleCreated) else "sample"
            live.publish(name, sample_view(event.object, categories))

    @hooks.on(SampleDeleted)
    async def deleted(event: SampleDeleted) -> None:
        if event.dataset == settings.dataset and isinstance(event.object, Sample):
            live.publish("gone", SampleRemoved(uuid=event.object.uuid))

    @hooks.on(LabelUpdated, LabelDeleted)
    async def label(event: LabelUpdated | LabelDeleted) -> None:
        changed = event.object
        if event.dataset != settings.dataset or not isinstance(changed, Label) or changed.sample_uuid is None:
            return
        if changed.labelset in {None, LABELSET}:
            view = label_view(changed, categories) if isinstance(event, LabelUpdated) else None
            live.publish("label", LabelChange(uuid=changed.sample_uuid, label=view))

    return hooks
