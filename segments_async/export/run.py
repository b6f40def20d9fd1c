"""Run an export: read the release, fetch images and bitmaps concurrently, and write the files in order."""

from __future__ import annotations

import os
from collections import Counter, deque
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

import anyio
import numpy as np
from anyio.to_thread import run_sync

from segments_async._streams.prefetch import Prefetcher
from segments_async._wire.arguments import check_count
from segments_async.bulk import Progress
from segments_async.errors import DecodeError, ExportError, OutOfResourcesError, SegmentsError
from segments_async.export.bitmaps import CocoInstance, CocoPanoptic, Polygons
from segments_async.export.categories import Categories
from segments_async.export.formats import Entries, FetchedItem, Format
from segments_async.export.items import Item, items_of, safe_path
from segments_async.export.masks import Masks
from segments_async.export.output import JsonLists, UnwritableError, write_file
from segments_async.export.plan import BITMAPS, SEQUENCE, ExportReport, Plan
from segments_async.export.shapes import CocoShapes, Yolo
from segments_async.images.bitmaps import decode_bitmap
from segments_async.images.pictures import image_size
from segments_async.models import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import numpy.typing as npt

    from segments_async._releases import ReleaseFile
    from segments_async._releases.media import ReleaseFiles, SampleFiles
    from segments_async.models import ReleaseSample

    _Outcome = Entries | ExportError | None

MAX_CONCURRENCY = 1000
_DEFAULT_CONCURRENCY = 16
_REPORT_INTERVAL = 0.1
"""Seconds between two calls of `progress`."""


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
        self._is_sequence = dataset.task_type == SEQUENCE
        owner = dataset.owner if isinstance(dataset.owner, str) else getattr(dataset.owner, "username", "")
        self._identifier = f"{owner}_{dataset.name}"
        self._folder = plan.folder / "segments" / safe_path(self._identifier) / safe_path(release.name)
        attributes = dataset.task_attributes
        self._format = self._format_for(Categories.of((attributes and attributes.categories) or ()))
        self._threads = anyio.CapacityLimiter(max(2, os.cpu_count() or 1))
        self._samples = self._unlabeled = 0
        self._left_out: Counter[str] = Counter()
        self._failures: list[ExportError] = []
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
                return Yolo(categories, plan.id_increment)
            case kind:
                return Masks(categories, kind, labelset, plan.id_increment)

    async def run(self) -> ExportReport:
        """
        Export all selected samples.

        Raises:
            ExportError: A sample cannot be exported, and ``on_error="raise"``.
            UnwritableError: The folder cannot be written.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
        """
        file = None
        async with (
            self._json_file() as lists,
            Prefetcher(_Jobs(self._release, self._plan, self._exporter_of), self._concurrency) as prefetcher,
        ):
            while True:
                try:
                    outcome = await prefetcher.take()
                except StopAsyncIteration:
                    break
                await self._record(outcome, lists)
            if lists is not None:
                await run_sync(lists.finish)
                file = lists.path
        self._report_progress(final=True)
        return ExportReport(
            file=file,
            folder=self._folder,
            samples=self._samples,
            unlabeled=self._unlabeled,
            left_out=dict(self._left_out),
            failures=self._failures,
            elapsed=self._clock() - self._started,
        )

    @asynccontextmanager
    async def _json_file(self) -> AsyncIterator[JsonLists | None]:
        head = self._format.head
        if head is None:
            yield None
            return
        name = safe_path(f"export_{self._plan.format}_{self._identifier}_{self._release.name}".replace("/", "_"))
        lists = JsonLists(
            self._plan.folder / f"{name}.json", head, "images", "annotations", numbered=self._format.numbered
        )
        try:
            await run_sync(lists.start)
            yield lists
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(lists.discard)

    def _exporter_of(self, sample: ReleaseSample) -> Callable[[Item], Awaitable[_Outcome]]:
        """Return a function that exports the items of a sample."""
        return partial(self._export_or_error, self._files.of_sample(sample))

    async def _export_or_error(self, files: SampleFiles, item: Item) -> _Outcome:
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

    async def _export(self, files: SampleFiles, item: Item) -> Entries:
        size = await self._image(files, item)
        bitmap = None
        if item.bitmap_url is not None and self._has_bitmaps:
            bitmap = await _fetch(item, "bitmap", files.bitmap, item.bitmap_url)
        return await run_sync(self._write, item, size, bitmap, limiter=self._threads)

    async def _image(self, files: SampleFiles, item: Item) -> tuple[int, int] | None:
        """Write the image if the plan includes images, and return its size if known."""
        url, plan = item.image_url, self._plan
        needs_image_size = self._format.needs_size or (self._has_bitmaps and item.bitmap_url is None)
        if url is None or not (plan.images or (needs_image_size and plan.image_size is None)):
            return plan.image_size
        path = self._folder / item.image_name
        if plan.images and not plan.refresh:
            known = await run_sync(_size_on_disk, path)
            if known is not None:
                return plan.image_size or known
        content = await _fetch(item, "image", files.image, url)
        try:
            known = await run_sync(_save_image, content, path if plan.images else None, limiter=self._threads)
        except DecodeError as error:
            raise item.error(f"its image {error}", error) from error
        return plan.image_size or known

    def _write(self, item: Item, size: tuple[int, int] | None, bitmap: bytes | None) -> Entries:
        ids = None
        if self._has_bitmaps:
            ids = _ids(item, size, bitmap)
            size = ids.shape[1], ids.shape[0]
        return self._format.write(FetchedItem(item=item, size=size, ids=ids), self._folder)

    async def _record(self, outcome: _Outcome, lists: JsonLists | None) -> None:
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
        if self._plan.progress is None or not (final or now - self._reported_at >= _REPORT_INTERVAL):
            return
        self._reported_at = now
        failed = len(self._failures)
        done = self._samples + self._unlabeled + failed
        self._plan.progress(
            Progress(
                done=done,
                failed=failed,
                total=done if final else None,
                elapsed=now - self._started,
                throttled=0,
            )
        )


class _Jobs:
    """
    Iterate over the release, and yield a job for each item; an invalid sample becomes a job that returns its error.

    This is a class and not an async generator, as trio warns about generators that are not iterated to their end.
    """

    def __init__(
        self,
        release: ReleaseFile,
        plan: Plan,
        exporter_of: Callable[[ReleaseSample], Callable[[Item], Awaitable[_Outcome]]],
    ) -> None:
        self._samples = release.samples(
            labelset=plan.labelset, label_status=plan.label_status, metadata=plan.metadata, on_error=plan.on_error
        )
        self._labelset = plan.labelset
        self._sequence = release.dataset.task_type == SEQUENCE
        self._exporter_of = exporter_of
        self._number = 0
        self._skipped_count = 0
        self._stem_hashes: set[int] = set()
        self._queue: deque[Callable[[], Awaitable[_Outcome]]] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Callable[[], Awaitable[_Outcome]]:
        while not self._queue:
            try:
                sample = await anext(self._samples)
            except StopAsyncIteration:
                self._queue_skipped()
                if not self._queue:
                    raise
                break
            self._number += 1
            self._queue_skipped()
            try:
                items = items_of(sample, self._number, self._labelset, sequence=self._sequence)
                self._queue.extend(map(partial(self._job, self._exporter_of(sample)), items))
            except ExportError as error:
                self._queue.append(partial(_return_error, error))
        return self._queue.popleft()

    def _job(self, export: Callable[[Item], Awaitable[_Outcome]], item: Item) -> Callable[[], Awaitable[_Outcome]]:
        """Return the job of an item; it is an error if its files would overwrite those of another."""
        if item.annotations is not None:
            stem_hash = hash(os.path.normcase(item.stem))
            if stem_hash in self._stem_hashes:
                return partial(_return_error, item.error(f"another sample already has files named {item.stem!r}"))
            self._stem_hashes.add(stem_hash)
        return partial(export, item)

    def _queue_skipped(self) -> None:
        """Queue the errors of samples that were skipped since the last call."""
        skipped = self._samples.skipped
        while self._skipped_count < len(skipped):
            self._queue.append(partial(_return_error, _as_export_error(skipped[self._skipped_count])))
            self._skipped_count += 1


async def _fetch(item: Item, what: str, fetch: Callable[[URL], Awaitable[bytes]], url: str) -> bytes:
    """Fetch a file; an error names the item and the file, and includes the notes of its cause."""
    try:
        return await fetch(URL(url=url))
    except SegmentsError as error:
        raise item.error("; ".join([f"its {what}: {error}", *getattr(error, "__notes__", ())]), error) from error


async def _return_error(error: ExportError) -> _Outcome:
    return error


def _as_export_error(error: DecodeError) -> ExportError:
    """Convert the error of a sample that does not decode, and name the sample."""
    raw = error.payload if isinstance(error.payload, dict) else {}
    failure = ExportError(str(error), sample=str(raw.get("name")), uuid=raw.get("uuid"))
    failure.__cause__ = error
    return failure


def _size_on_disk(path: Path) -> tuple[int, int] | None:
    """Return the size of an image from an earlier run; None if there is no readable image."""
    try:
        return image_size(path)
    except (OSError, DecodeError):
        return None


def _save_image(content: bytes, path: Path | None) -> tuple[int, int]:
    """Check that the content is an image, write it unchanged unless *path* is None, and return its size."""
    size = image_size(content)
    if path is not None:
        write_file(path, content)
    return size


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
        raise item.error(f"its bitmap {error}", error) from error
    height, width = ids.shape
    if size is not None and size != (width, height):
        raise item.error(f"its bitmap is {width} x {height} pixels, but its image {size[0]} x {size[1]}")
    return ids
