"""An application whose uploads run on a queue; `queue_world.py` starts its web processes and workers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import FastAPI, Header

from segments_async import AsyncSegments, BulkReport, LabelPut
from segments_async.fastapi import QueueBackend, Upload, UploadJobs, UploadStatus, add_error_handlers, lifespan

BOXES = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}]}

backend = QueueBackend(os.environ["REDIS_URL"], name=os.environ["QUEUE_NAME"], takeover=float(os.environ["TAKEOVER"]))


def caller(x_user: Annotated[str, Header()] = "jane") -> str:
    """Who sends a request."""
    return x_user


jobs = UploadJobs(backend, owner=caller, max_running=2)


@jobs.kind
async def boxes(upload: Upload, client: AsyncSegments, *, uuids: list[str], gate: str | None = None) -> BulkReport[Any]:
    """Put a label for each sample; the second half waits for the file *gate*."""

    async def labels():
        for number, uuid in enumerate(uuids):
            while gate and number >= len(uuids) // 2 and not Path(gate).exists():  # noqa: ASYNC110, ASYNC240 (the test)
                await anyio.sleep(0.02)
            yield LabelPut(uuid, BOXES)

    return await client.labels.put_many(labels(), concurrency=2, **upload.options("labels"))


@jobs.kind
async def broken(upload: Upload, client: AsyncSegments) -> None:
    """Fail in a way that is not for its caller to see."""
    raise OSError("/secret/path is gone")


@jobs.kind
async def deadly(upload: Upload, client: AsyncSegments) -> None:
    """Kill the worker."""
    os._exit(1)


def make_app() -> FastAPI:
    """Create a web process's application."""
    app = FastAPI(lifespan=lifespan(AsyncSegments))
    add_error_handlers(app)
    app.include_router(jobs, prefix="/uploads")

    @app.post("/begin/{kind}")
    async def begin(kind: str, arguments: dict[str, Any], x_user: Annotated[str, Header()] = "jane") -> UploadStatus:
        return await jobs.start(kind, owner=x_user, **arguments)

    @app.post("/forget/{id}")
    async def forget(id: str) -> str:
        await jobs.forget(id)
        return jobs.__class__.__name__

    @app.get("/now/{id}")
    async def now(id: str) -> UploadStatus:
        return jobs.status(id)

    return app


settings = jobs.worker(AsyncSegments)
