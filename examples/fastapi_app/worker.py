"""A worker that runs the uploads of all web processes: ``saq examples.fastapi_app.worker.settings``."""

from __future__ import annotations

from typing import Any

from examples.fastapi_app.app import settings_from_environment
from examples.fastapi_app.uploads import PictureUploads
from segments_async import AsyncSegments


def settings() -> dict[str, Any]:
    """Return the worker's settings, from the same environment variables as those of the web processes."""
    own = settings_from_environment()
    return PictureUploads(own.dataset, own.folder, own.redis_url).jobs.worker(AsyncSegments)
