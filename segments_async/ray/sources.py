"""The tasks that read."""

from __future__ import annotations

import logging
import re
import time
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from filelock import FileLock
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from segments_async._releases import open_release
from segments_async._releases.filters import SampleFilter
from segments_async._releases.media import ReleaseFiles
from segments_async._wire.routes import GET_DATASET
from segments_async.errors import RateLimitError, SegmentsError, ServerError, TransportError
from segments_async.models import Dataset
from segments_async.ray.worker import LoopThread, WorkerClient
from segments_async.resources.releases.reading import ReleaseReader
from segments_async.resources.samples.page_range import PageRange
from segments_async.tables import labels_table, samples_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    import pyarrow as pa

    from segments_async._client import AsyncSegments
    from segments_async._releases import ReleaseFile
    from segments_async.models import ReleaseSample
    from segments_async.ray.options import ClientOptions
    from segments_async.resources.samples.page_range import SampleList

SAMPLES_PER_BLOCK = 1000
"""Samples of a release in one block."""
WAITS = (2.0, 8.0, 30.0)
"""Seconds after which a task asks again for a page, or for a file, for which its client has no attempts left."""
_PASSING = (RateLimitError, ServerError, TransportError)
_log = logging.getLogger("segments_async")


def _waited(waits: Iterator[float], what: str, error: SegmentsError) -> bool:
    """Wait before asking again; return False if there is no try left."""
    seconds = next(waits, None)
    if seconds is None:
        return False
    _log.warning("asking %s again in %g s: %s", what, seconds, error)
    time.sleep(seconds)
    return True


def learn_list(options: ClientOptions, samples: SampleList) -> tuple[Dataset, int | None, SampleList]:
    """
    Find out the number of samples, if the service says it, and the number of rows of its pages.

    A service that sends fewer rows per page than it is asked for numbers its pages accordingly.
    """

    async def learn(client: AsyncSegments) -> tuple[Dataset, int | None, SampleList]:
        session = client._session  # noqa: SLF001 (no public method says how many rows a page has)
        dataset: Dataset = await session.call(GET_DATASET, Dataset, path={"dataset": samples.dataset})
        count = re.sub(r"\D", "", str(dataset.samples_count or ""))
        pages = PageRange(session, samples, 1, 2).pages()
        first = [row async for rows in pages for row in rows]
        is_cut = bool(first) and len(first) < samples.per_page and int(count or 0) > len(first)
        learned = evolve(samples, per_page=len(first)) if is_cut and not any(samples.filters.values()) else samples
        return dataset, int(count) if count else None, learned

    with WorkerClient(options) as client:
        return client.call(learn)


class _Source(Datasource):
    """Blocks that tasks read, each a part of the whole."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def get_name(self) -> str:
        """Name the source in Ray's progress bars."""
        return self._name

    def estimate_inmemory_data_size(self) -> int | None:
        """Let Ray decide without it."""
        return None


class PageSource(_Source):
    """
    The samples of a dataset, by ranges of pages; the last range is open, in case that the count is too low.

    Args:
        options: The arguments of the clients.
        samples: The list.
        count: The number of samples without filters; None if unknown.
        dataset: The dataset, for the names of categories.
    """

    def __init__(self, options: ClientOptions, samples: SampleList, count: int | None, dataset: Dataset) -> None:
        super().__init__("SegmentsSamples")
        self._options = options
        self._samples = samples
        self.pages: int = max(1, ceil((count or 0) / samples.per_page))
        self._dataset = dataset

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """Return a task for each range of pages."""
        tasks = max(1, min(parallelism, self.pages))
        starts = [1 + self.pages * task // tasks for task in range(tasks)]
        return [
            _task(_PageRead(self._options, self._samples, self._dataset, first, stop), per_task_row_limit)
            for first, stop in zip(starts, [*starts[1:], None], strict=True)
        ]


class ReleaseSource(_Source):
    """The samples of a release, by shards."""

    def __init__(self, options: ClientOptions, release: ReleaseShards, shards: int) -> None:
        super().__init__("SegmentsRelease")
        self._options = options
        self._release = release
        self._shards = shards

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """Return a task for each shard."""
        reads = [_ReleaseRead(self._options, self._release, (index, self._shards)) for index in range(self._shards)]
        return [_task(read, per_task_row_limit) for read in reads]


def _task(read: Callable[[], Iterator[pa.Table]], row_limit: int | None) -> ReadTask:
    unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
    return ReadTask(read, unknown, per_task_row_limit=row_limit)


@frozen
class _PageRead:
    """Read a range of pages."""

    options: ClientOptions
    samples: SampleList
    dataset: Dataset
    first: int
    stop: int | None

    def __call__(self) -> Iterator[pa.Table]:
        yield self._table([])  # so that an empty dataset has columns too
        number, waits = self.first, iter(WAITS)
        while True:
            try:
                for rows in self._pages(number):
                    yield self._table(rows)
                    number, waits = number + 1, iter(WAITS)
            except _PASSING as error:
                if not _waited(waits, f"for page {number}", error):
                    raise
            else:
                return

    def _pages(self, first: int) -> Iterator[list[Any]]:
        with WorkerClient(self.options) as worker:
            session = worker.client._session  # noqa: SLF001 (no public method reads a range of pages)
            yield from worker.iterate(PageRange(session, self.samples, first, self.stop).pages())

    def _table(self, rows: list[Any]) -> pa.Table:
        if self.samples.include_full_label:
            return labels_table(rows, labelset=self.samples.labelset, categories=self.dataset)
        return samples_table(rows)


@frozen(kw_only=True)
class ReleaseShards:
    """A release, and what to read of it."""

    source: Any
    """The path of its file; what else has to be downloaded."""
    name: str | None
    labelset: str
    rows: str
    filters: Mapping[str, Any]
    cache: Path

    def fetch(self, options: ClientOptions) -> Path:
        """Return the path of the file; one worker of a node downloads it, while the others wait."""
        if isinstance(self.source, Path):
            return self.source
        self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.cache / "download.lock"), WorkerClient(options) as worker:
            waits = iter(WAITS)
            while True:
                try:
                    return worker.call(self._download)
                except _PASSING as error:
                    if not _waited(waits, "for the release", error):
                        raise

    async def _download(self, client: AsyncSegments) -> Path:
        session = client._session  # noqa: SLF001 (its public form has the file only inside a block)
        files = ReleaseFiles(session, self.labelset, self.cache)
        await files.open()
        try:
            async with ReleaseReader(session).open_cached(self.source, self.name, files) as release:
                return release.path
        finally:
            await files.close()

    async def tables(self, path: Path, shard: tuple[int, int]) -> AsyncIterator[pa.Table]:
        """Yield the tables of a shard; the first one is empty, so that there is one in any case."""
        async with open_release(path) as release:
            sample_filter = SampleFilter.of(
                release.dataset, self.labelset, self.filters.get("label_status"), self.filters.get("metadata")
            )
            yield self._table([], release)
            samples: list[ReleaseSample] = []
            async for sample in release.select(sample_filter, shard=shard):
                samples.append(sample)
                if len(samples) == SAMPLES_PER_BLOCK:
                    yield self._table(samples, release)
                    samples = []
            yield self._table(samples, release)

    def _table(self, samples: list[ReleaseSample], release: ReleaseFile) -> pa.Table:
        if self.rows == "labels":
            return labels_table(samples, labelset=self.labelset, categories=release.dataset)
        return samples_table(samples, labelset=self.labelset)


@frozen
class _ReleaseRead:
    """Read a shard of a release."""

    options: ClientOptions
    release: ReleaseShards
    shard: tuple[int, int]

    def __call__(self) -> Iterator[pa.Table]:
        path = self.release.fetch(self.options)
        with LoopThread() as loop:
            yield from loop.iterate(self.release.tables(path, self.shard))
