from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Self

import anyio

from segments_async._misuse import NeedsAsyncFor, NeedsAsyncWith
from segments_async._releases.filters import SampleFilter
from segments_async._releases.summary import ReleaseSummary, SummaryCount
from segments_async._releases.text import ReleaseText
from segments_async._serialization.converter import structure
from segments_async._threads import run_sync
from segments_async._transfer.file_errors import file_error
from segments_async._validators import as_path
from segments_async._wire.arguments import OnError, check_on_error
from segments_async.errors import ClientStateError, DecodeError, InputError, SegmentsError
from segments_async.models import ReleaseDataset, ReleaseHeader, ReleaseSample

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

BATCH_CHARACTERS = 256 * 1024
"""Text read per call of a worker thread; a larger sample is read whole."""
MAX_BATCH_SAMPLES = 500
"""Samples read per call of a worker thread, at most."""
_USUAL_END = b"]}}"
"""The end of a file whose samples come last, as in the files of the service."""
_HEADER_KEYS = frozenset({"name", "dataset"})
_DATASET_KEYS = frozenset({"name", "task_type", "task_attributes", "labelsets"})


class ReleaseFile(NeedsAsyncWith):
    """
    The file of a release, read sample by sample: only a few samples are in memory, whatever the size of the file.

    Open it with `open_release` (a file on disk; needs neither a client nor a key) or ``client.releases.open``, and use
    it as an async context manager. Samples are read and decoded in worker threads, so the event loop is not blocked.

    Example:
        ::

            async with open_release("flowers-v1.json") as release:
                print(release.name, release.dataset.task_type)
                async for sample in release.samples(labelset="ground-truth", label_status=["LABELED", "REVIEWED"]):
                    label = sample.labels["ground-truth"]
                    print(sample.name, label.attributes)

    Attributes:
        path: The path of the file; a downloaded file is deleted at the end of the block.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
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
        self._header = await run_sync(_read_header, self.path)
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

        Example:
            ::

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
            self.path, sample_filter, shard=shard, skip=on_error == "skip", open_iterators=self._open_iterators
        )

    async def summary(self) -> ReleaseSummary:
        """
        Count samples, labels by status, and annotations by category; only the counts are kept in memory.

        Example:
            ::

                summary = await release.summary()
                print(summary.labelsets["ground-truth"].statuses)

        Returns:
            The counts.

        Raises:
            DecodeError: The file is damaged.
        """
        header = self.header
        count = SummaryCount(header)
        reader = _BatchReader(self.path)
        try:
            while await run_sync(reader.read, BATCH_CHARACTERS, count.add):
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
        open_iterators: set[ReleaseSamples],
    ) -> None:
        self.skipped: list[DecodeError] = []
        self._path = path
        self._filter = sample_filter
        self._until_kept, self._shard_count = shard
        self._statuses_checked = not sample_filter.unknown_statuses
        self._skip = skip
        self._open_iterators = open_iterators
        self._reader = _BatchReader(path)
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

        reader = _BatchReader(self._path)
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
        problem: Exception | None = None
        try:
            if not self._filter.matches(raw):
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
            located = _locate(problem, index, raw)
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


class _BatchReader:
    """Reads a file in batches, in worker threads. The lock is needed as a cancelled call's thread may still run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._closed = False
        self._lock = Lock()

    def read(self, characters: int, add: Callable[[int, Any], bool]) -> bool:
        """
        Pass samples with their index to *add*, until it returns False or this many characters are read.

        Returns:
            Whether there may be more samples.
        """
        with self._lock:
            if self._closed:
                return False
            if self._file is None:
                self._file = _open_file(self._path)
                self._text = ReleaseText(self._file, self._path.name)
                self._samples = enumerate(self._text)
            until = self._text.position + characters
            with _readable(self._path):
                return any(not add(index, raw) or self._text.position >= until for index, raw in self._samples)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()


def open_release(path: str | os.PathLike[str]) -> ReleaseFile:
    """
    Open a release file on disk.

    Example:
        ::

            async with open_release("flowers-v1.json") as release:
                async for sample in release.samples():
                    print(sample.name)

    Args:
        path: The file, as ``client.releases.download`` or the web page gives it.

    Returns:
        An async context manager. It raises InputError if there is no such file, and DecodeError if it is not a release.
    """
    return ReleaseFile(as_path(path))


def _open_file(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except Exception as error:
        raise file_error(error, "cannot be read", path, "path") from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Convert whatever the content of a file provokes into a `SegmentsError`."""
    try:
        yield
    except SegmentsError:
        raise
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error}): {path}", path="path") from error
    except Exception as error:
        raise DecodeError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from error


def _read_header(path: Path) -> ReleaseHeader:
    """Read the header; the samples are parsed only if a part of the header may come after them."""
    with _open_file(path) as file, _readable(path):
        text = ReleaseText(file, path.name)
        for _ in text:
            if _is_complete(text.header) and _ends_with_samples(path):
                break
    try:
        with _readable(path):
            return structure(text.header, ReleaseHeader)
    except DecodeError as error:
        message = f"{path.name} is not a release: {error.problem}"
        raise DecodeError(message, path=error.path, payload=text.header) from error.__cause__


def _is_complete(header: Mapping[str, Any]) -> bool:
    dataset = header.get("dataset")
    return header.keys() >= _HEADER_KEYS and isinstance(dataset, dict) and dataset.keys() >= _DATASET_KEYS


def _ends_with_samples(path: Path) -> bool:
    with _open_file(path) as file:
        file.seek(max(0, path.stat().st_size - 1024))
        return b"".join(file.read().split()).endswith(_USUAL_END)


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
