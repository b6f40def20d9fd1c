"""
FastAPI integration: one client per process, HTTP error responses, webhooks and background uploads.

Example::

    from fastapi import FastAPI
    from segments_async import AsyncSegments
    from segments_async.fastapi import Segments, add_error_handlers, lifespan

    app = FastAPI(lifespan=lifespan(AsyncSegments))
    add_error_handlers(app)

    @app.get("/datasets/{owner}/{name}")
    async def count(owner: str, name: str, client: Segments) -> int:
        return len(await client.samples.list(f"{owner}/{name}"))
"""

from importlib.util import find_spec

_missing = [name for name in ("fastapi", "standardwebhooks") if find_spec(name) is None]
if _missing:
    raise ImportError(
        f'segments_async.fastapi needs {", ".join(_missing)}; install it with: pip install "segments-async[fastapi]"'
    )

from segments_async.fastapi.clients import (  # noqa: E402  (check the extra first)
    InteractiveSegments,
    Segments,
    get_segments,
    interactive,
    lifespan,
)
from segments_async.fastapi.jobs import UploadJobs  # noqa: E402
from segments_async.fastapi.problems import PROBLEM_RESPONSES, add_error_handlers, own_choice  # noqa: E402
from segments_async.fastapi.queue import QueueBackend  # noqa: E402
from segments_async.fastapi.uploads import Upload, UploadStatus  # noqa: E402
from segments_async.fastapi.webhooks import WebhookRouter, verified_webhook  # noqa: E402

__all__ = [
    "PROBLEM_RESPONSES",
    "InteractiveSegments",
    "QueueBackend",
    "Segments",
    "Upload",
    "UploadJobs",
    "UploadStatus",
    "WebhookRouter",
    "add_error_handlers",
    "get_segments",
    "interactive",
    "lifespan",
    "own_choice",
    "verified_webhook",
]
