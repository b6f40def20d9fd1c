from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import anyio

from segments_async._misuse import NeedsAsyncFor, NeedsAsyncWith
from segments_async._releases.batches import BatchReader, add_readable, read_header
from segments_async._releases.filters import SampleFilter
from segments_async._releases.summary import ReleaseSummary, SummaryCount
from segments_async._releases.text import MAX_VALUE_BYTES
from segments_async._serialization.converter import structure
from segments_async._threads import run_sync
from segments_async._validators import as_path, is_number
from segments_async._wire.arguments import OnError, check_on_error
from segments_async.errors import ClientStateError, DecodeError, InputError, SegmentsError
from segments_async.models import ReleaseDataset, ReleaseHeader, ReleaseSample

if TYPE_CHECKING:
    import os
    from pathlib import Path
    from types import TracebackType

MB = 1_000_000
BATCH_CHARACTERS = 256 * 1024
"""Text read per call of a worker thread; a larger sample is read whole."""
MAX_BATCH_SAMPLES = 500
"""Samples read per call of a worker thread, at most."""


class ReleaseFile(NeedsAsyncWith):
    """
    The file of a release, read sample by sample: only a few samples are in memory, whatever the size of the file.

    Open it with `open_release` (a file on disk; needs neither a client nor a key) or ``client.releases.open``, and use
    it as an async context manager. Samples are read and decoded in worker threads, so the event loop is not blocked.

    Example::

        async with open_release("flowers-v1.json") as release:
            print(release.name, release.dataset.task_type)
            async for sample in release.samples(labelset="ground-truth", label_status=["LABELED", "REVIEWED"]):
                label = sample.labels["ground-truth"]
                print(sample.name, label.attributes)

    Attributes:
        path: The path of the file; a downloaded file is deleted at the end of the block.
    """

    def __init__(self, path: Path, *, max_sample_bytes: int = MAX_VALUE_BYTES) -> None:
        self.path = path
        self._max_sample_bytes = max_sample_bytes
        self._header: ReleaseHeader | None = None
        self._open_iterators: set[ReleaseSamples] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<ReleaseFile {str(self.path)!r}>"

    @property
    def header(self) -> ReleaseHeader:
        """Everything in the file except the samples, in whatever order the file has it."""
        if self._header is None:
            raise ClientStateError("a release file can be read only inside its 'async with'")
        return self._header

    @property
    def name(self) -> str:
        """The release's name."""
        return self.header.name

    @property
    def dataset(self) -> ReleaseDataset:
        """The dataset of the release, with its `task_type`, `task_attributes` and `labelsets`."""
        return self.header.dataset

    async def __aenter__(self) -> Self:
        if self._closed:
            raise ClientStateError("this release file is closed; open it again")
        self._header = await run_sync(read_header, self.path, self._max_sample_bytes)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        with anyio.CancelScope(shield=True):
            for samples in list(self._open_iterators):
                await run_sync(samples.leave)

    def samples(
        self,
        *,
        labelset: str | None = None,
        label_status: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
        on_error: OnError = "raise",
    ) -> ReleaseSamples:
        """
        Iterate over the samples, in the order of the file. Each call starts at the first sample.

        Example::

            async for sample in release.samples(labelset="ground-truth", metadata={"city": "London"}):
                print(sample.name, sample.labels["ground-truth"])

        Args:
            labelset: Keep only the labels of this labelset, which is faster if there are several. Samples without a
                label there are included, with None. By default all labels are kept.
            label_status: Only samples whose label (in *labelset*, by default in ``"ground-truth"``) has one of these
                statuses, in upper or lower case; ``"UNLABELED"`` includes samples without a label.
            metadata: Only samples with all of these: a mapping, or strings, with the meaning that they have in
                ``samples.list``.
            on_error: ``"skip"`` leaves out a sample that does not decode, and reports it in `ReleaseSamples.skipped`.

        Returns:
            An iterator of `ReleaseSample`. A label without a `label_type` gets the dataset's task type.

        Raises:
            InputError: There is no such labelset, or a filter is invalid. A status that neither `LabelStatus` nor the
                release has is found when the first sample is read.
            DecodeError: A sample does not decode, and `path` says where; or the file is damaged. It is raised after
                the samples before it.
        """
        sample_filter = SampleFilter.of(self.header.dataset, labelset, label_status, metadata)
        return self.select(sample_filter, on_error=on_error)

    def select(
        self, sample_filter: SampleFilter, *, shard: tuple[int, int] = (0, 1), on_error: OnError = "raise"
    ) -> ReleaseSamples:
        """
        Iterate over every *count*-th of the samples that pass a filter, as ``shard=(index, count)``.

        Args:
            sample_filter: Which samples to take.
            shard: ``(index, count)``: every *count*-th of them, from the one at *index*, from 0.
            on_error: ``"skip"`` leaves out a sample that does not decode.

        Returns:
            An iterator over the samples.
        """
        if self._closed:
            raise ClientStateError("this release file is closed; open it again")
        check_on_error(on_error)
        return ReleaseSamples(
            self.path,
            sample_filter,
            shard=shard,
            skip=on_error == "skip",
            max_sample_bytes=self._max_sample_bytes,
            open_iterators=self._open_iterators,
        )

    async def summary(self) -> ReleaseSummary:
        """
        Count samples, labels by status, and annotations by category; only the counts are kept in memory.

        Example::

            summary = await release.summary()
            print(summary.labelsets["ground-truth"].statuses)

        Returns:
            The counts.

        Raises:
            DecodeError: The file is damaged.
        """
        header = self.header
        count = SummaryCount(header)
        reader = BatchReader(self.path, self._max_sample_bytes)
        try:
            while await run_sync(reader.read, BATCH_CHARACTERS, partial(add_readable, count.add)):
                pass
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(reader.close)
        return count.summary()


class ReleaseSamples(NeedsAsyncFor, AsyncIterator[ReleaseSample]):
    """
    The samples of a release file, one by one.

    Several tasks may iterate: each sample goes to one of them.

    Attributes:
        skipped: The errors of the samples left out with ``on_error="skip"``, in order; each has the sample as its
            `payload`.
    """

    def __init__(
        self,
        path: Path,
        sample_filter: SampleFilter,
        *,
        shard: tuple[int, int] = (0, 1),
        skip: bool,
        max_sample_bytes: int,
        open_iterators: set[ReleaseSamples],
    ) -> None:
        self._max_sample_bytes = max_sample_bytes
        self.skipped: list[DecodeError] = []
        self._path = path
        self._filter = sample_filter
        self._until_kept, self._shard_count = shard
        self._statuses_checked = not sample_filter.unknown_statuses
        self._skip = skip
        self._open_iterators = open_iterators
        self._reader = BatchReader(path, max_sample_bytes)
        self._buffer: deque[ReleaseSample] = deque()
        self._error: SegmentsError | None = None
        self._ended = False
        self._lock = anyio.Lock(fast_acquire=True)
        open_iterators.add(self)

    async def __anext__(self) -> ReleaseSample:
        if not self._buffer:
            async with self._lock:
                await self._fill_buffer()
        if self._buffer:
            return self._buffer.popleft()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopAsyncIteration

    def leave(self) -> None:
        """Stop the iteration, as the block of the release file has ended."""
        if not self._ended:
            self._buffer.clear()
            self._end(ClientStateError("this release file is closed; open it again"))

    async def _fill_buffer(self) -> None:
        while not (self._buffer or self._ended):
            await run_sync(self._read_batch)

    def _read_batch(self) -> None:
        """Read a batch in a worker thread. It is stored on the object, so that a cancellation does not lose it."""
        try:
            if not self._statuses_checked:
                self._check_statuses()
            if not self._reader.read(BATCH_CHARACTERS, self._add):
                self._end()
        except SegmentsError as error:
            self._end(error)

    def _check_statuses(self) -> None:
        """Search the whole file for statuses that this package does not know, before a sample is returned."""
        found: set[str] = set()

        def note(_index: int, raw: Any) -> bool:
            with suppress(Exception):  # of whatever a sample contains; `_add` reports it
                found.add(self._filter.status(raw))
            return True

        reader = BatchReader(self._path, self._max_sample_bytes)
        try:
            while not (self._ended or self._filter.unknown_statuses <= found) and reader.read(BATCH_CHARACTERS, note):
                pass
        finally:
            reader.close()
        self._filter.check_statuses(found)
        self._statuses_checked = True

    def _end(self, error: SegmentsError | None = None) -> None:
        self._error = error
        self._ended = True
        self._open_iterators.discard(self)
        self._reader.close()

    def _add(self, index: int, raw: Any) -> bool:
        # In place of a sample that is too large, or cannot be read, comes its error.
        problem: Exception | None = raw if isinstance(raw, DecodeError) else None
        try:
            if problem is None and not self._filter.matches(raw):
                return True
        except Exception as error:  # noqa: BLE001 (of whatever a sample contains)
            problem = error
        if not self._is_kept():
            return True
        if problem is None:
            try:
                self._buffer.append(structure(self._filter.select_labels(raw), ReleaseSample))
            except Exception as error:  # noqa: BLE001 (likewise)
                problem = error
        if problem is not None:
            located = raw if isinstance(raw, DecodeError) else _locate(problem, index, raw)
            if not self._skip:
                raise located from located.__cause__
            self.skipped.append(located)
        return len(self._buffer) < MAX_BATCH_SAMPLES

    def _is_kept(self) -> bool:
        """Return whether the next sample that passes the filter belongs to the shard."""
        if self._until_kept:
            self._until_kept -= 1
            return False
        self._until_kept = self._shard_count - 1
        return True


def open_release(path: str | os.PathLike[str], *, max_sample_mb: float = MAX_VALUE_BYTES / MB) -> ReleaseFile:
    """
    Open a release file on disk.

    Example::

        async with open_release("flowers-v1.json") as release:
            async for sample in release.samples():
                print(sample.name)

    Args:
        path: The file, as ``client.releases.download`` or the web page gives it.
        max_sample_mb: Maximum megabytes (10^6 bytes) of memory that one sample may take, its text included; estimated
            before it is decoded. A larger one is a `DecodeError`, which ``on_error="skip"`` leaves out.

    Returns:
        An async context manager. It raises InputError if there is no such file, and DecodeError if it is not a release.

    Raises:
        InputError: *max_sample_mb* is not a number above 0.
    """
    if not is_number(max_sample_mb) or not 0 < max_sample_mb < math.inf:
        raise InputError(f"expected megabytes above 0, got {max_sample_mb!r}", path="max_sample_mb")
    return ReleaseFile(as_path(path), max_sample_bytes=int(max_sample_mb * MB))


def _locate(error: Exception, index: int, raw: Any) -> DecodeError:
    """Add the sample's index and name to an error; one that is not a `DecodeError` becomes the cause."""
    path, problem = "", f"{type(error).__name__}: {error}"
    if isinstance(error, DecodeError):
        path, problem = error.path, error.problem
    separator = "." if path and not path.startswith("[") else ""
    name = raw.get("name") if isinstance(raw, dict) else None
    suffix = "" if name is None else f" (sample {name!r})"
    located = DecodeError(f"{problem}{suffix}", path=f"dataset.samples[{index}]{separator}{path}", payload=raw)
    located.__cause__ = None if isinstance(error, DecodeError) else error
    return located
