"""Run an import: match the images with the dataset's samples, create those that are missing, and put the labels."""

from __future__ import annotations

import time
from array import array
from collections import deque
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from segments_async._caller_errors import describe
from segments_async._threads import run_sync
from segments_async._wire.endpoint import dataset_name
from segments_async.bulk import BulkReport, Failed, Succeeded, Unsent
from segments_async.bulk.checkpoint import checkpoint_of
from segments_async.bulk.engine import BulkStream
from segments_async.errors import InputError
from segments_async.imports.categories import match_categories
from segments_async.imports.convert import BITMAPS
from segments_async.imports.report import ImportReport, add_problem
from segments_async.models import FileSample
from segments_async.resources.importing.images import MatchedImages
from segments_async.resources.importing.labels import ImportedLabel, ImportLabels
from segments_async.resources.importing.progress import PhasedProgress
from segments_async.resources.importing.samples import sample_item
from segments_async.resources.samples.create import CreateSamples
from segments_async.resources.samples.resource import Samples
from segments_async.resources.samples.upload import UploadFiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from segments_async._http.session import Session
    from segments_async.bulk import AnyOutcome, BulkSettings
    from segments_async.imports import Annotations
    from segments_async.imports.annotations import ImageAnnotations
    from segments_async.models import Dataset, Sample

    Add = Callable[[AnyOutcome[Any]], None]

_LABELS_PER_THREAD = 32
"""Labels read per call of a worker thread; only one with a bitmap, because bitmaps are large."""
_NAMES_PER_CALL = 1000


class Import:
    """
    An import into a dataset.

    Args:
        session: Makes the calls.
        dataset: The dataset, with its categories.
        annotations: The open annotations.
        labelset: Where the labels go.
        lossy: As for `Annotations.labels`.
        settings: The settings of both bulk runs; the *checkpoint* is that of the labels.
    """

    def __init__(
        self,
        session: Session,
        dataset: Dataset,
        annotations: Annotations,
        *,
        labelset: str,
        lossy: bool,
        settings: BulkSettings,
    ) -> None:
        attributes = dataset.task_attributes
        self._session = session
        self._dataset = dataset
        self._annotations = annotations
        self._labelset = labelset
        self._settings = settings
        self._task_type = dataset.task_type or ""
        self._ids = match_categories(
            [attrs.asdict(one, recurse=False) for one in annotations.categories],
            (attributes and attributes.categories) or (),
        )
        self._labels = annotations.labels(self._task_type, lossy=lossy, category_ids=self._ids)
        samples: BulkReport[Sample | None] = BulkReport(keep=settings.keep)
        labels: BulkReport[None] = BulkReport(keep=settings.keep)
        self._report = ImportReport(dataset=dataset, samples=samples, labels=labels)
        self._started = time.monotonic()
        self._progress: PhasedProgress | None = None

    async def run(self) -> ImportReport:
        """Import everything; see ``datasets.import_annotations``."""
        report = self._report
        await self._check_checkpoint()
        async with _images() as images:
            await self._match(images)
            await self._create_samples(images)
            self._raise_if_wanted(report.samples)
            if report.samples.stopped is None:
                await self._put_labels(images)
                self._raise_if_wanted(report.labels)
        for problem in await run_sync(lambda: self._annotations.problems):
            add_problem(report, problem)
        report.left_out.update(self._annotations.left_out)
        return report

    async def _check_checkpoint(self) -> None:
        """Refuse a checkpoint that cannot be used, before samples are created."""
        checkpoint = checkpoint_of(self._operation(self._settings), self._settings, lambda _: None)
        if checkpoint is not None:
            await checkpoint.check()

    def _raise_if_wanted(self, report: BulkReport[Any]) -> None:
        if self._settings.on_error == "raise" and (report.failed or report.unknown):
            raise report.as_error()

    async def _match(self, images: MatchedImages) -> None:
        """Find the sample of each image; the dataset's samples are listed, and the file is read once."""
        await run_sync(images.add_images, self._annotations.source_images())
        names: list[tuple[str, str]] = []
        async for sample in Samples(self._session).list(self._dataset):
            names.append((sample.name, sample.uuid))
            if len(names) == _NAMES_PER_CALL:
                await run_sync(images.add_samples, names)
                names = []
        await run_sync(images.add_samples, names)
        loosely = await run_sync(images.match)
        if loosely:
            self._report.changed["images whose sample has the same name in another folder"] += loosely
        if self._settings.progress is not None:
            missing = images.count(missing=True)
            self._progress = PhasedProgress(self._settings.progress, images.count() + missing)

    def _phase(self, **changes: Any) -> BulkSettings:
        """Return the settings of the next bulk run, with the time that remains."""
        limit = self._settings.total_timeout
        if limit is not None:
            changes["total_timeout"] = max(0.001, limit - (time.monotonic() - self._started))
        return attrs.evolve(self._settings, progress=self._progress, on_outcome=None, **changes)

    def _add(self, report: BulkReport[Any], outcome: AnyOutcome[Any]) -> None:
        report.add(outcome)
        if self._settings.on_outcome is not None:
            try:
                self._settings.on_outcome(outcome)
            except Exception as error:
                raise report.as_error(error, f"on_outcome raised {describe(error)}") from error

    async def _create_samples(self, images: MatchedImages) -> None:
        report = self._report.samples
        for is_upload in (True, False):
            add = partial(self._add, report) if is_upload else None
            source = _MissingSamples(images, add, uploads=is_upload)
            settings = self._phase(checkpoint=None)
            create = UploadFiles if is_upload else CreateSamples
            stream = BulkStream(create(self._session, self._dataset, settings), source, settings)
            async with stream as outcomes:
                async for outcome in outcomes:
                    located = attrs.evolve(outcome, index=source.numbers[outcome.index])
                    if outcome.uuid is not None and outcome.succeeded:
                        images.set_uuid(located.index, outcome.uuid)
                    self._add(report, located)
            _add_counters(report, stream.report)
            if self._progress is not None:
                self._progress.next_phase(is_last=not is_upload)
            if report.stopped is not None:
                return

    async def _put_labels(self, images: MatchedImages) -> None:
        if self._progress is not None:
            self._progress.is_last = True
        report = self._report.labels
        size = 1 if self._task_type in BITMAPS else _LABELS_PER_THREAD
        source = _Labels(self._labels, images, self._report, partial(self._add, report), size=size)
        stream = self._put(source)
        async with stream as outcomes:
            async for outcome in outcomes:
                self._add(report, attrs.evolve(outcome, index=source.numbers[outcome.index]))
        _add_counters(report, stream.report)

    def _put(self, labels: Any) -> BulkStream[Any]:
        settings = self._phase()
        return BulkStream(self._operation(settings), labels, settings)

    def _operation(self, settings: BulkSettings) -> ImportLabels:
        return ImportLabels(self._session, dataset_name(self._dataset), self._labelset, settings)


@asynccontextmanager
async def _images() -> AsyncIterator[MatchedImages]:
    images = MatchedImages()
    try:
        yield images
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(images.close)


def _add_counters(report: BulkReport[Any], phase: BulkReport[Any]) -> None:
    for name in ("elapsed", "throttled", "requests", "retries", "bytes_sent"):
        setattr(report, name, getattr(report, name) + getattr(phase, name))
    report.stopped = report.stopped or phase.stopped
    report.exhausted = phase.exhausted


class _MissingSamples:
    """
    Iterate over the samples to create: those with files, or those with URLs.

    The first pass also reports the images whose sample exists, and those that have neither.
    """

    def __init__(self, images: MatchedImages, add: Add | None, *, uploads: bool) -> None:
        self._add = add
        self._uploads = uploads
        self._rows: Iterator[list[tuple[int, str | None, dict[str, Any]]]] = images.rows()
        self._queue: deque[tuple[int, Any]] = deque()
        self._outcomes: deque[AnyOutcome[Any]] = deque()
        """Of images that need no request; added in the event loop, as the caller's code is called there."""
        self.numbers = array("q")
        """The image of each item, by the item's index."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while not self._queue:
            rows = await run_sync(next, self._rows, None)
            if rows is None:
                raise StopAsyncIteration
            await run_sync(self._queue_missing, rows)
            _flush(self._outcomes, self._add)
        number, item = self._queue.popleft()
        self.numbers.append(number)
        return item

    def _queue_missing(self, rows: list[tuple[int, str | None, dict[str, Any]]]) -> None:
        for number, uuid, row in rows:
            item = row["name"] if uuid is not None else sample_item(row)
            if isinstance(item, str | InputError):
                self._outcomes.append(_local_outcome(number, row["name"], uuid, item))
            elif isinstance(item, FileSample) == self._uploads:
                self._queue.append((number, item))


def _flush(outcomes: deque[AnyOutcome[Any]], add: Add | None) -> None:
    while outcomes:
        outcome = outcomes.popleft()
        if add is not None:
            add(outcome)


def _local_outcome(number: int, name: str, uuid: str | None, found: str | InputError) -> AnyOutcome[Any]:
    if isinstance(found, InputError):
        error = found.under(f"images[{number}]")
        return Failed(index=number, key=name, item=name, status="failed", error=error)
    return Succeeded(index=number, key=name, uuid=uuid, item=name, status="existing")


class _Labels:
    """Iterate over the labels to put; they are read and drawn in a worker thread. What cannot be put is reported."""

    def __init__(
        self, labels: Iterator[ImageAnnotations], images: MatchedImages, report: ImportReport, add: Add, *, size: int
    ) -> None:
        self._labels = enumerate(labels)
        self._images = images
        self._report = report
        self._add_outcome = add
        self._size = size
        self._queue: deque[tuple[int, ImportedLabel]] = deque()
        self._outcomes: deque[AnyOutcome[Any]] = deque()
        """Of labels that cannot be put, as in `_MissingSamples`."""
        self._length = images.count()
        self.numbers = array("q")
        """The image of each item, by the item's index."""

    def __len__(self) -> int:
        return self._length

    def __aiter__(self) -> AsyncIterator[ImportedLabel]:
        return self

    async def __anext__(self) -> ImportedLabel:
        while not self._queue:
            has_more = await run_sync(self._read)
            _flush(self._outcomes, self._add_outcome)
            if not has_more:
                raise StopAsyncIteration
        number, label = self._queue.popleft()
        self.numbers.append(number)
        return label

    def _read(self) -> bool:
        """Read the next labels; returns whether there were any."""
        batch = list(islice(self._labels, self._size))
        if not batch:
            return False
        uuids = self._images.uuids(batch[0][0], batch[-1][0])
        for number, label in batch:
            self._add(number, label, uuids.get(number))
        return True

    def _add(self, number: int, label: ImageAnnotations, uuid: str | None) -> None:
        report = self._report
        report.left_out.update(label.left_out)
        report.changed.update(label.changed)
        for problem in label.problems:
            add_problem(report, problem)
        if label.attributes is None and not label.source.labeled:
            report.unlabeled += 1
        elif label.attributes is None:
            words = str(label.problems[-1]) if label.problems else "cannot be read"
            error = InputError(words, path=f"images[{number}]")
            self._outcomes.append(
                Failed(index=number, key=None, uuid=uuid, item=label.name, status="failed", error=error)
            )
        elif uuid is None:
            self._outcomes.append(Unsent(index=number, key=None, item=label.name, status="unsent", retryable=True))
        else:
            self._queue.append((number, _imported(label, uuid)))


def _imported(label: ImageAnnotations, uuid: str) -> ImportedLabel:
    bitmap = None
    if label.bitmap is not None:
        from segments_async.images import encode_bitmap  # noqa: PLC0415 (an extra)

        bitmap = encode_bitmap(label.bitmap)
    return ImportedLabel(
        image=label.name,
        sample_uuid=uuid,
        attributes=label.attributes,
        bitmap=bitmap,
        copies_bitmaps=label.source.label_attributes is not None and bitmap is None,
        label_status=label.source.label_status or "PRELABELED",
        score=label.source.score,
    )
