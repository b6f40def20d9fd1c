"""The application: its routes, and what it does with webhooks."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attrs import field, frozen
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from examples.fastapi_app import labeller
from examples.fastapi_app.live import Live
from examples.fastapi_app.pictures import MAX_BODY_BYTES, MAX_FILE_BYTES, MAX_FILES
from examples.fastapi_app.shown import Album, Gone, LabelChange, shown_label, shown_sample
from examples.fastapi_app.uploads import Accepted, PictureUploads
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
SHOWN = 60
"""Samples on the page."""
PAGE_HEADERS = {
    # Nothing but the page's own files runs in it, whatever a file is called; images may come from the storage.
    "Content-Security-Policy": "default-src 'self'; img-src * data:; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@frozen(kw_only=True)
class Settings:
    """What differs from one installation to another; the key is the client's."""

    dataset: str
    """``"owner/name"``."""
    secret: str = field(repr=False)
    """Of the webhook endpoint."""
    folder: Path = field(converter=Path)
    """For what survives a restart."""
    plays_labeller: bool = False
    """Whether the page may ask for labels; for sandboxes."""


def from_environment() -> FastAPI:
    """
    Make the application for a dataset of yours.

    Example:
        ::

            uvicorn --factory examples.fastapi_app.app:from_environment
    """
    settings = Settings(
        dataset=os.environ["SEGMENTS_DATASET"],
        secret=os.environ["SEGMENTS_WEBHOOK_SECRET"],
        folder=os.environ.get("UPLOADS_FOLDER", "uploads"),
        plays_labeller=bool(os.environ.get("PLAYS_LABELLER")),
    )
    return make_app(settings, AsyncSegments)


def make_app(settings: Settings, factory: Callable[[], AsyncSegments]) -> FastAPI:
    """
    Make the application.

    Args:
        settings: Of this installation.
        factory: Makes the client.
    """
    live, uploads, categories = Live(), PictureUploads(settings.dataset, settings.folder), dict[int, str]()

    @asynccontextmanager
    async def know_categories(app: FastAPI) -> AsyncIterator[None]:
        """Learn what categories are called; a dataset or a key that is wrong shows here, not at the first visit."""
        dataset = await app.state.segments.datasets.get(settings.dataset)
        known = dataset.task_attributes and dataset.task_attributes.categories
        categories.update({category.id: category.name for category in known or ()})
        yield

    app = FastAPI(title="Images to label", lifespan=lifespan(factory, know_categories))
    app.state.live = live
    add_error_handlers(app)
    app.include_router(uploads.jobs, prefix="/uploads", dependencies=[FROM_THIS_PAGE])
    app.include_router(_hooks(settings, live, categories), prefix="/webhooks/segments")
    if settings.plays_labeller:
        app.include_router(labeller.router, dependencies=[FROM_THIS_PAGE])
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers=PAGE_HEADERS)

    @app.get("/samples")
    async def samples(client: InteractiveSegments) -> Album:
        position = live.position  # before the list is read, so that nothing falls in between
        with own_choice():
            newest = await _newest(client, settings.dataset)
        return Album(
            dataset=settings.dataset,
            samples=[shown_sample(sample, categories) for sample in newest],
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

    @app.post("/images", status_code=202, dependencies=[FROM_THIS_PAGE])
    async def receive(request: Request) -> Accepted:
        return await uploads.receive(request)

    return app


async def _check_origin(
    request: Request,
    sec_fetch_site: Annotated[str | None, Header()] = None,
    origin: Annotated[str | None, Header()] = None,
) -> None:
    """Refuse what another site's page makes a browser send; programs other than browsers send neither header."""
    if sec_fetch_site is None:  # an older browser, or a page without TLS
        own = origin is None or _is_own_origin(origin, request.headers.get("host", ""))
    else:
        own = sec_fetch_site in {"same-origin", "none"}
    if not own:
        raise HTTPException(403, "This is for the application's own page.")


def _is_own_origin(origin: str, host: str) -> bool:
    """Compare an Origin header with the Host header, which names the default port of a scheme or leaves it out."""
    scheme, _, authority = origin.lower().partition("://")
    default = {"http": ":80", "https": ":443"}.get(scheme)
    return default is not None and authority.removesuffix(default) == host.lower().removesuffix(default)


FROM_THIS_PAGE: Any = Depends(_check_origin)


async def _newest(client: AsyncSegments, dataset: str) -> list[Sample]:
    pages = client.samples.list(
        dataset,
        labelset=LABELSET,
        include_full_label=True,
        sort="created_at",
        direction="desc",
        per_page=SHOWN,
    ).pages()
    return await anext(pages, [])


def _hooks(settings: Settings, live: Live, categories: dict[int, str]) -> WebhookRouter:
    """Pass on what happens in the dataset to the pages that are open."""
    hooks = WebhookRouter(settings.secret, replay=ReplayGuard())

    @hooks.on(SampleCreated, SampleUpdated)
    async def sample(event: SampleCreated | SampleUpdated) -> None:
        if event.dataset == settings.dataset and isinstance(event.object, Sample):
            live.tell("sample", shown_sample(event.object, categories))

    @hooks.on(SampleDeleted)
    async def gone(event: SampleDeleted) -> None:
        if event.dataset == settings.dataset and isinstance(event.object, Sample):
            live.tell("gone", Gone(uuid=event.object.uuid))

    @hooks.on(LabelUpdated, LabelDeleted)
    async def label(event: LabelUpdated | LabelDeleted) -> None:
        thing = event.object
        if event.dataset != settings.dataset or not isinstance(thing, Label) or thing.sample_uuid is None:
            return
        if thing.labelset in {None, LABELSET}:
            shown = shown_label(thing, categories) if isinstance(event, LabelUpdated) else None
            live.tell("label", LabelChange(uuid=thing.sample_uuid, label=shown))

    return hooks
