"""Fetch and write the images of an export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._transfer.file_names import address_digest
from segments_async._wire.suffixes import image_suffix
from segments_async.errors import DecodeError, SegmentsError
from segments_async.images.pictures import image_header, image_size
from segments_async.models import URL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async._releases.export_plan import Plan
    from segments_async._releases.media import Fetched, SampleFiles
    from segments_async.export.folder import ExportFolder
    from segments_async.export.items import Item
    from segments_async.export.manifest import Record

    RunSync = Callable[..., Awaitable["ImageFile"]]
    Size = tuple[int, int]

ImageFile = tuple[str, "tuple[int, int] | None"]
"""The path of an image, relative to the folder, and its size if it is known."""


class Images:
    """
    The images of an export.

    Args:
        plan: The options.
        folder: Where to write.
        run_sync: Calls a function in a worker thread.
    """

    def __init__(self, plan: Plan, folder: ExportFolder, run_sync: RunSync) -> None:
        self._plan = plan
        self._folder = folder
        self._run_sync = run_sync

    async def of_item(self, files: SampleFiles, item: Item, *, needs_size: bool) -> ImageFile:
        """
        Write an image if the plan includes images; read its size if that is needed.

        Raises:
            ExportError: It cannot be fetched, or is not an image.
        """
        url, plan = item.image_url, self._plan
        if url is None or not (plan.images or (needs_size and plan.image_size is None)):
            return item.unfetched_name, plan.image_size
        digest = address_digest(url)
        if plan.images and not plan.refresh:
            record = self._folder.image_of(item.stem, digest)
            if record is not None:
                name, known = await self._run_sync(self._keep, record)
                if known is not None:
                    return name, plan.image_size or known
        content = await fetch(item, "image", files.image, url)
        try:
            name, known = await self._run_sync(self._save, item, content, digest)
        except DecodeError as error:
            raise item.error(f"its image {error.problem}", error) from error
        return name, plan.image_size or known

    def _keep(self, record: Record) -> ImageFile:
        """Take over an image of an earlier export; its size is None if it is not an image any more."""
        try:
            size = image_size(self._folder.path / record.path)
        except (OSError, DecodeError):
            return record.path, None
        self._folder.keep(record)
        return record.path, size

    def _save(self, item: Item, content: bytes, digest: str) -> ImageFile:
        """Check that the content is an image, write it unchanged, and return its size."""
        kind, size = image_header(content)
        name = item.stem + image_suffix(kind, *item.suffixes)
        if self._plan.images:
            self._folder.write(name, content, digest)
        return name, size


async def fetch(item: Item, what: str, read: Callable[[URL], Awaitable[Fetched]], url: str) -> bytes:
    """Fetch a file; an error names the item and the file, and includes the notes of its cause."""
    try:
        return (await read(URL(url=url))).content
    except SegmentsError as error:
        raise item.error("; ".join([f"its {what}: {error}", *getattr(error, "__notes__", ())]), error) from error
