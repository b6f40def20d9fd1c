"""Background uploads: create samples from the images received from the page."""

from __future__ import annotations

import shutil
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from anyio import to_thread
from pydantic import BaseModel

from examples.fastapi_app.pictures import Picture, RejectedFile, receive
from segments_async import AlreadyExistsError, AsyncSegments, BulkReport, FileSample, InputError
from segments_async.fastapi import QueueBackend, Upload, UploadJobs, UploadStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

    from segments_async.bulk import BulkOptions

MAX_UPLOADS = 100
"""Number of uploads whose status stays available; older finished ones are deleted."""


class Accepted(BaseModel):
    """The response to an upload form."""

    upload: UploadStatus | None
    """The status of the upload; None if all files were rejected."""
    refused: list[RejectedFile]


class StartedUpload(NamedTuple):
    """An upload, and where its images came from."""

    id: str
    folder: Path
    form: str | None


class PictureUploads:
    """
    Receive images and upload them to one dataset.

    Args:
        dataset: The dataset, as ``"owner/name"``.
        folder: For pending images and the state of `UploadJobs`.
        redis_url: Where workers find the uploads; without it, they run in the web process.
    """

    def __init__(self, dataset: str, folder: Path, redis_url: str | None = None) -> None:
        self.jobs = UploadJobs(QueueBackend(redis_url) if redis_url else folder / "jobs")
        self._dataset = dataset
        self._folder = folder / "pictures"
        self._started: deque[StartedUpload] = deque()
        self._withdrawn: deque[str] = deque(maxlen=MAX_UPLOADS)
        self.jobs.kind(upload_pictures)

    async def receive(self, request: Request, form: str | None = None) -> Accepted:
        """Store the images of a form and start uploading them, unless it is withdrawn; *form* is its name."""
        folder = self._folder / uuid4().hex
        pictures, refused = await receive(request, folder)
        if form in self._withdrawn:
            await _remove(folder)
            pictures = []
        if not pictures:
            return Accepted(upload=None, refused=refused)
        upload = await self.jobs.start(
            upload_pictures,
            dataset=self._dataset,
            folder=str(folder),
            pictures=[picture.model_dump() for picture in pictures],
        )
        self._started.append(StartedUpload(upload.id, folder, form))
        if form in self._withdrawn:  # while it was started
            upload = await self.jobs.cancel(upload.id)
        await self._forget_old()
        return Accepted(upload=upload, refused=refused)

    async def withdraw(self, form: str) -> None:
        """Cancel the upload of a form that the page no longer waits for; the form may be here, on its way or lost."""
        self._withdrawn.append(form)
        for upload in [upload for upload in self._started if upload.form == form]:
            await self.jobs.cancel(upload.id)

    async def _forget_old(self) -> None:
        while len(self._started) > MAX_UPLOADS and _has_ended(self.jobs.status(self._started[0].id)):
            oldest = self._started.popleft()
            await self.jobs.forget(oldest.id)
            await _remove(oldest.folder)


def _has_ended(status: UploadStatus) -> bool:
    return status.state not in {"queued", "running"}


async def upload_pictures(
    upload: Upload, client: AsyncSegments, *, dataset: str, folder: str, pictures: Sequence[dict[str, str]]
) -> BulkReport[Any] | None:
    """Create samples from images, and delete the images once all are uploaded."""
    images = [Picture.model_validate(picture) for picture in pictures]
    if not await to_thread.run_sync(Path(folder).exists):
        return None  # the server stopped right after the last image was uploaded
    files = [FileSample(image.name, image.path) for image in images]
    options: BulkOptions = {**upload.options(), "if_exists": "error"}  # an existing sample keeps its image
    report = await client.samples.upload_files(dataset, files, **options)
    if report.succeeded == report.total:
        await _remove(Path(folder))
    taken = [str(failure.key) for failure in report.failures if isinstance(failure.error, AlreadyExistsError)]
    if taken:
        raise InputError(f"The dataset already has images with these names: {', '.join(taken)}")
    return report


async def _remove(folder: Path) -> None:
    await to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))
