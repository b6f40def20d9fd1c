"""Run an export: read the release, fetch images and bitmaps concurrently, and write the files in order."""

from __future__ import annotations

import logging
import os
from collections import Counter
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import numpy as np
from anyio import to_thread

from segments_async._releases.export_plan import BITMAPS, ExportReport, Plan, foreign_error, owner_of
from segments_async._streams.budget import Budget
from segments_async._streams.prefetch import Prefetcher
from segments_async._threads import run_sync
from segments_async._wire.arguments import check_count
from segments_async.bulk import Progress
from segments_async.bulk.observer import Observer
from segments_async.errors import DecodeError, ExportError, OutOfResourcesError, SegmentsError
from segments_async.export.bitmaps import CocoInstance, CocoPanoptic, Polygons
from segments_async.export.categories import Categories
from segments_async.export.claims import Claims
from segments_async.export.folder import ExportFolder
from segments_async.export.formats import EncodedEntries, FetchedItem, Format
from segments_async.export.images import ImageFile, Images, fetch
from segments_async.export.jobs import Jobs
from segments_async.export.lock import FolderLock
from segments_async.export.manifest import Header
from segments_async.export.masks import Masks
from segments_async.export.names import safe_path
from segments_async.export.output import JsonLists, UnwritableError
from segments_async.export.shapes import CocoShapes
from segments_async.export.yolo import IMAGES, SUMMARY, Yolo
from segments_async.images.bitmaps import decode_bitmap
from segments_async.images.png import pixel_count

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import numpy.typing as npt

    from segments_async._releases import ReleaseFile
    from segments_async._releases.media import ReleaseFiles, SampleFiles
    from segments_async.export.items import Item
    from segments_async.export.jobs import Outcome
    from segments_async.models import ReleaseSample

T = TypeVar("T")

MAX_CONCURRENCY = 1000
_DEFAULT_CONCURRENCY = 16
_REPORT_INTERVAL = 0.1
"""Seconds between two calls of `progress`."""
BUDGET_BYTES = 1024**3
"""Memory of bitmaps that are being converted; one bitmap may exceed it."""
_BYTES_PER_PIXEL = 16
"""While a bitmap is converted: its pixels, their bytes, the ids, and what is written."""
_log = logging.getLogger("segments_async")


class Export:
    """An export of an open release."""

    def __init__(
        self, release: ReleaseFile, plan: Plan, files: ReleaseFiles, *, max_connections: int, clock: Callable[[], float]
    ) -> None:
        plan.check()
        if plan.concurrency is not None:
            check_count(plan.concurrency, "concurrency", MAX_CONCURRENCY)
        dataset = release.dataset
        plan.check_task_type(dataset.task_type)
        self._release = release
        self._plan = plan
        self._files = files
        self._concurrency = plan.concurrency or min(_DEFAULT_CONCURRENCY, max_connections)
        self._has_bitmaps = dataset.task_type in BITMAPS
        owner = owner_of(dataset)
        self._identifier = f"{owner}_{dataset.name}"
        attributes = dataset.task_attributes
        self._format = self._format_for(Categories.of((attributes and attributes.categories) or ()))
        self._folder = self._folder_for(owner)
        self._threads = anyio.CapacityLimiter(max(2, os.cpu_count() or 1))
        self._budget = Budget(BUDGET_BYTES)
        self._images = Images(plan, self._folder, self._in_thread)
        self._samples = self._unlabeled = 0
        self._left_out: Counter[str] = Counter()
        self._failures: list[ExportError] = []
        self._observer = None if plan.progress is None else Observer(plan.progress)
        self._clock = clock
        self._started = clock()
        self._reported_at = self._started - _REPORT_INTERVAL

    def _format_for(self, categories: Categories) -> Format:
        plan = self._plan
        labelset = safe_path(plan.labelset).replace("/", "_")
        info = {"description": self._release.dataset.name, "version": self._release.name}
        match plan.format:
            case "coco-instance":
                return (CocoInstance if self._has_bitmaps else CocoShapes)(categories, info)
            case "coco-panoptic":
                return CocoPanoptic(categories, info, labelset)
            case "polygon":
                return Polygons(categories)
            case "yolo":
                title = "".join(filter(str.isprintable, f"{self._identifier}, release {self._release.name}"))
                return Yolo(categories, plan.id_increment, title)
            case kind:
                return Masks(categories, kind, labelset, plan.id_increment or 0)

    def _folder_for(self, owner: str) -> ExportFolder:
        plan, release = self._plan, self._release
        path = plan.folder / "segments" / safe_path(self._identifier) / safe_path(release.name)
        summary: Path | None = None
        if self._format.head is not None:
            name = safe_path(f"export_{plan.format}_{self._identifier}_{release.name}".replace("/", "_"))
            summary = plan.folder / f"{name}.json"
        elif plan.format == "yolo":
            summary = path / SUMMARY
            if IMAGES in path.absolute().parts:
                _log.warning("Ultralytics looks for labels of images below a folder 'images' in 'labels': %s", path)
        header = Header(
            format=plan.format,
            labelset=plan.labelset,
            owner=owner,
            dataset=release.dataset.name,
            release=release.name,
            summary=None if summary is None else summary.name,
            created_at=_text_of(release.header.created_at),
        )
        return ExportFolder(plan.folder, path, header, summary, overwrite=plan.overwrite)

    async def run(self) -> ExportReport:
        """
        Export all selected samples.

        Raises:
            ExportError: A sample cannot be exported, and ``on_error="raise"``.
            InputError: Another export, or a file that no export wrote, is in the way.
            UnwritableError: The folder cannot be written.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
        """
        folder = self._folder
        claims = Claims(self._format.label_stems, [SUMMARY, folder.header.file_name])
        jobs = Jobs(self._release, self._plan, claims, self._exporter_of)
        async with (
            FolderLock(folder.path),
            self._opened_folder(),
            self._json_file() as lists,
            Prefetcher(jobs, self._concurrency) as prefetcher,
        ):
            while True:
                try:
                    outcome = await prefetcher.take()
                except StopAsyncIteration:
                    break
                await self._record(outcome, lists)
            file = await run_sync(self._finish, lists)
        self._report_progress(final=True)
        return ExportReport(
            file=file,
            folder=folder.path,
            samples=self._samples,
            unlabeled=self._unlabeled,
            left_out=dict(self._left_out),
            failures=self._failures,
            elapsed=self._clock() - self._started,
        )

    def _finish(self, lists: JsonLists | None) -> Path | None:
        """Complete the export, and return the file that is written last."""
        folder = self._folder
        folder.delete_stale()
        content = self._format.closing_file()
        if lists is not None:
            lists.finish()
        elif content is not None:
            folder.write_summary(content)
        folder.finish()
        return None if lists is None and content is None else folder.summary

    @asynccontextmanager
    async def _opened_folder(self) -> AsyncIterator[None]:
        await run_sync(self._folder.open)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._folder.close)

    @asynccontextmanager
    async def _json_file(self) -> AsyncIterator[JsonLists | None]:
        head, path = self._format.head, self._folder.summary
        if head is None or path is None:
            yield None
            return
        names, prefix = ("images", "annotations"), self._folder.header.digest
        lists = JsonLists(path, head, names, numbered=self._format.numbered, prefix=prefix)
        try:
            await run_sync(lists.start)
            yield lists
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(lists.discard)

    def _exporter_of(self, sample: ReleaseSample) -> Callable[[Item], Awaitable[Outcome]]:
        """Return a function that exports the items of a sample."""
        return partial(self._export_or_error, self._files.of_sample(sample))

    async def _export_or_error(self, files: SampleFiles, item: Item) -> Outcome:
        """Export an item, and return its entries or its error; None if it has no label."""
        if item.annotations is None:
            return None
        try:
            return await self._export(files, item)
        except (UnwritableError, OutOfResourcesError):
            raise  # every other sample would fail too
        except ExportError as error:
            return error
        except SegmentsError as error:
            return item.error(str(error), error)
        except Exception as error:  # noqa: BLE001 (of whatever a sample, its files or a plugin of Pillow contain)
            return foreign_error(error, item.sample, item.uuid)

    async def _export(self, files: SampleFiles, item: Item) -> EncodedEntries:
        needs_size = self._format.needs_size or (self._has_bitmaps and item.bitmap_url is None)
        image = await self._images.of_item(files, item, needs_size=needs_size)
        if item.bitmap_url is None or not self._has_bitmaps:
            return await self._in_thread(self._write, item, image, None)
        share = self._budget.share()
        try:
            await share.reserve(0)
            bitmap = await fetch(item, "bitmap", files.bitmap, item.bitmap_url)
            share.add(len(bitmap))
            await share.reserve((pixel_count(bitmap) or 0) * _BYTES_PER_PIXEL)
            return await self._in_thread(self._write, item, image, bitmap)
        finally:
            share.close()

    async def _in_thread(self, function: Callable[..., T], *args: object) -> T:
        return await to_thread.run_sync(function, *args, limiter=self._threads)

    def _write(self, item: Item, image: ImageFile, bitmap: bytes | None) -> EncodedEntries:
        name, size = image
        ids = None
        if self._has_bitmaps:
            ids = _ids(item, size, bitmap)
            size = ids.shape[1], ids.shape[0]
        entries = self._format.write(FetchedItem(item=item, image_name=name, size=size, ids=ids), self._folder)
        return EncodedEntries.of(entries)

    async def _record(self, outcome: Outcome, lists: JsonLists | None) -> None:
        if outcome is None:
            self._unlabeled += 1
        elif isinstance(outcome, ExportError):
            if self._plan.on_error == "raise":
                raise outcome
            self._failures.append(outcome)
        else:
            self._samples += 1
            self._left_out += outcome.left_out
            if lists is not None:
                await run_sync(lists.add, outcome.images, outcome.annotations)
        self._report_progress()

    def _report_progress(self, *, final: bool = False) -> None:
        now = self._clock()
        if self._observer is None or not (final or now - self._reported_at >= _REPORT_INTERVAL):
            return
        self._reported_at = now
        failed = len(self._failures)
        done = self._samples + self._unlabeled + failed
        self._observer(
            Progress(
                done=done,
                failed=failed,
                total=done if final else None,
                elapsed=now - self._started,
                throttled=0,
            )
        )


def _text_of(moment: datetime | str | None) -> str | None:
    return moment.isoformat() if isinstance(moment, datetime) else moment


def _ids(item: Item, size: tuple[int, int] | None, bitmap: bytes | None) -> npt.NDArray[np.uint32]:
    """Decode the bitmap of an item; an item without annotations needs none."""
    if bitmap is None:
        if item.annotations:
            raise item.error("it has annotations, but no bitmap that can be fetched")
        if size is None:
            raise item.error("neither its bitmap nor its image can be fetched, so its size is unknown")
        return np.zeros((size[1], size[0]), np.uint32)
    try:
        ids = decode_bitmap(bitmap)
    except DecodeError as error:
        raise item.error(f"its bitmap {error.problem}", error) from error
    height, width = ids.shape
    if size is not None and size != (width, height):
        raise item.error(f"its bitmap is {width} x {height} pixels, but its image {size[0]} x {size[1]}")
    return ids
