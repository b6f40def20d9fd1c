"""Uploads of the page: images that were received become samples, in the background."""

from __future__ import annotations

import shutil
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from anyio import to_thread
from pydantic import BaseModel

from examples.fastapi_app.pictures import Picture, Refusal, receive
from segments_async import AlreadyExistsError, AsyncSegments, BulkReport, FileSample, InputError
from segments_async.fastapi import Upload, UploadJobs, UploadStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

    from segments_async.bulk import BulkOptions

ACTIVE = {"queued", "running"}
KEPT = 100
"""Uploads of this process that can still be asked for."""


class Accepted(BaseModel):
    """What became of a form."""

    upload: UploadStatus | None
    """None if all files were refused."""
    refused: list[Refusal]


class PictureUploads:
    """
    Receive images and upload them to one dataset.

    Args:
        dataset: ``"owner/name"``.
        folder: For images on their way, and for what `UploadJobs` keeps.
    """

    def __init__(self, dataset: str, folder: Path) -> None:
        self.jobs = UploadJobs(folder / "jobs")
        self._dataset = dataset
        self._folder = folder / "pictures"
        self._started: deque[tuple[str, Path]] = deque()
        self.jobs.kind(upload_pictures)

    async def receive(self, request: Request) -> Accepted:
        """Take the images of a form, and begin to upload them."""
        folder = self._folder / uuid4().hex
        pictures, refused = await receive(request, folder)
        if not pictures:
            return Accepted(upload=None, refused=refused)
        upload = await self.jobs.start(
            upload_pictures,
            dataset=self._dataset,
            folder=str(folder),
            pictures=[picture.model_dump() for picture in pictures],
        )
        self._started.append((upload.id, folder))
        await self._forget_old()
        return Accepted(upload=upload, refused=refused)

    async def _forget_old(self) -> None:
        while len(self._started) > KEPT and self.jobs.status(self._started[0][0]).state not in ACTIVE:
            name, folder = self._started.popleft()
            await self.jobs.forget(name)
            await _remove(folder)


async def upload_pictures(
    upload: Upload, client: AsyncSegments, *, dataset: str, folder: str, pictures: Sequence[dict[str, str]]
) -> BulkReport[Any] | None:
    """Make samples of images, and delete the images once all of them are."""
    kept = [Picture.model_validate(picture) for picture in pictures]
    if not await to_thread.run_sync(Path(folder).exists):
        return None  # the server was stopped just after the last image
    files = [FileSample(picture.name, picture.path) for picture in kept]
    options: BulkOptions = {**upload.options(), "if_exists": "error"}  # never another picture under an old name
    report = await client.samples.upload_files(dataset, files, **options)
    if report.succeeded == report.total:
        await _remove(Path(folder))
    taken = [str(failure.key) for failure in report.failures if isinstance(failure.error, AlreadyExistsError)]
    if taken:
        raise InputError(f"The dataset has images of these names already: {', '.join(taken)}")
    return report


async def _remove(folder: Path) -> None:
    await to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))
