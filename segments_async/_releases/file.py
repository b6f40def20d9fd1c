from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Self

import anyio
from anyio.to_thread import run_sync

from segments_async._releases.pick import Pick
from segments_async._releases.summary import ReleaseSummary, SummaryCount
from segments_async._releases.text import ReleaseText
from segments_async._serialization.converter import structure
from segments_async._wire.arguments import OnError, check_on_error
from segments_async.errors import ClientStateError, DecodeError, InputError, SegmentsError
from segments_async.models import ReleaseDataset, ReleaseHeader, ReleaseSample

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

BATCH_CHARACTERS = 256 * 1024
"""One hop to a worker thread reads samples of so much text, or one that is larger."""
MAX_READY = 500
"""One hop gives so many samples at most."""
_USUAL_END = b"]}}"
"""The samples stand last in the files of the service."""
_HEADER_KEYS = frozenset({"name", "dataset"})
_DATASET_KEYS = frozenset({"name", "task_type", "task_attributes", "labelsets"})


class ReleaseFile:
    """
    The file of a release, read sample by sample: however large it is, only a few samples are in memory.

    It comes from `open_release` (a file on disk; needs neither client nor key) or ``client.releases.open``, and is an
    async context manager. Samples are read and structured in worker threads, so the event loop stays free.

    Example:
        ::

            async with open_release("flowers-v1.json") as release:
                print(release.name, release.dataset.task_type)
                async for sample in release.samples(labelset="ground-truth", label_status=["LABELED", "REVIEWED"]):
                    label = sample.labels["ground-truth"]
                    print(sample.name, label.attributes)

    Attributes:
        path: Where the file is; one that was fetched is deleted when the block is left.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._header: ReleaseHeader | None = None
        self._open: set[ReleaseSamples] = set()
        self._left = False

    def __repr__(self) -> str:
        return f"<ReleaseFile {str(self.path)!r}>"

    @property
    def header(self) -> ReleaseHeader:
        """All of the file but the samples, wherever in the file it stands."""
        if self._header is None:
            raise ClientStateError("a release file is read inside 'async with'")
        return self._header

    @property
    def name(self) -> str:
        """The release's name."""
        return self.header.name

    @property
    def dataset(self) -> ReleaseDataset:
        """The dataset it was made of, with its `task_type`, `task_attributes` and `labelsets`."""
        return self.header.dataset

    async def __aenter__(self) -> Self:
        if self._left:
            raise ClientStateError("this release file was left before; open it anew")
        self._header = await run_sync(_read_header, self.path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left = True
        with anyio.CancelScope(shield=True):
            for samples in list(self._open):
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
        Iterate over the samples, in the order of the file; as often as you like, each time from the beginning.

        Example:
            ::

                async for sample in release.samples(labelset="ground-truth", metadata={"city": "London"}):
                    print(sample.name, sample.labels["ground-truth"])

        Args:
            labelset: Give each sample its label of this labelset alone, which is faster if there are several; samples
                without one come too, with None. By default all labels.
            label_status: Only samples whose label (of *labelset*, else of ``"ground-truth"``) has one of these
                statuses; ``"UNLABELED"`` takes those that have no label.
            metadata: Only samples with all of these: a mapping, or ``"key:value"`` strings.
            on_error: ``"skip"`` leaves out a sample that does not decode, and tells of it in `ReleaseSamples.skipped`.

        Returns:
            An iterator of `ReleaseSample`; a label that does not say its `label_type` has the dataset's task type.

        Raises:
            InputError: There is no such labelset.
            DecodeError: A sample does not decode, and `path` says where; or the file is damaged after the samples
                that came before.
        """
        header = self.header
        if self._left:
            raise ClientStateError("this release file was left; open it anew")
        check_on_error(on_error)
        pick = Pick.of(header.dataset, labelset, label_status, metadata)
        return ReleaseSamples(self.path, pick, skip=on_error == "skip", opened=self._open)

    async def summary(self) -> ReleaseSummary:
        """
        Count samples, labels by status, and annotations by category; nothing but the counts is kept.

        Example:
            ::

                summary = await release.summary()
                print(summary.labelsets["ground-truth"].statuses)

        Raises:
            DecodeError: The file is damaged.
        """
        header = self.header
        count = SummaryCount(header)
        steps = _Steps(self.path)
        try:
            while await run_sync(steps.take, BATCH_CHARACTERS, count.add):
                pass
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(steps.close)
        return count.summary()


class ReleaseSamples(AsyncIterator[ReleaseSample]):
    """
    The samples of a release file, one by one.

    Several tasks may iterate: each sample goes to one of them.

    Attributes:
        skipped: What was left out with ``on_error="skip"``, an error for each sample, in order; each has the sample
            as its `payload`.
    """

    def __init__(self, path: Path, pick: Pick, *, skip: bool, opened: set[ReleaseSamples]) -> None:
        self.skipped: list[DecodeError] = []
        self._pick = pick
        self._skip = skip
        self._opened = opened
        self._steps = _Steps(path)
        self._ready: deque[ReleaseSample] = deque()
        self._problem: SegmentsError | None = None
        self._ended = False
        self._turn = anyio.Lock(fast_acquire=True)
        opened.add(self)

    async def __anext__(self) -> ReleaseSample:
        if not self._ready:
            async with self._turn:
                await self._read_on()
        if self._ready:
            return self._ready.popleft()
        if self._problem is not None:
            problem, self._problem = self._problem, None
            raise problem
        raise StopAsyncIteration

    def leave(self) -> None:
        """Give no more, as the block is left that it was opened in."""
        if not self._ended:
            self._ready.clear()
            self._end(ClientStateError("this release file was left; open it anew"))

    async def _read_on(self) -> None:
        while not (self._ready or self._ended):
            await run_sync(self._take)

    def _take(self) -> None:
        """Take a step, in a thread that puts what it finds where a cancellation does not lose it."""
        try:
            if not self._steps.take(BATCH_CHARACTERS, self._add):
                self._end()
        except SegmentsError as error:
            self._end(error)

    def _end(self, problem: SegmentsError | None = None) -> None:
        self._problem = problem
        self._ended = True
        self._opened.discard(self)
        self._steps.close()

    def _add(self, index: int, raw: Any) -> bool:
        try:
            if self._pick.takes(raw):
                self._ready.append(structure(self._pick.prepared(raw), ReleaseSample))
        except DecodeError as error:
            placed = _placed(error, index, raw)
            if not self._skip:
                raise placed from None
            self.skipped.append(placed)
        return len(self._ready) < MAX_READY


class _Steps:
    """Reads a file in steps, each in a worker thread; the lock is for threads that a cancellation left behind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._closed = False
        self._lock = Lock()

    def take(self, characters: int, add: Callable[[int, Any], bool]) -> bool:
        """
        Hand samples of so much text to *add*, with their index, until that says that it is enough.

        Returns:
            Whether there may be more.
        """
        with self._lock:
            if self._closed:
                return False
            if self._file is None:
                self._file = _opened(self._path)
                self._text = ReleaseText(self._file, self._path.name)
                self._samples = enumerate(self._text)
            until = self._text.position + characters
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
        An async context manager, which raises InputError if there is no such file, and DecodeError if it is no release.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"expected a path, got {type(path).__name__}", path="path")
    return ReleaseFile(Path(path))


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:  # a null character is a ValueError
        raise InputError(f"cannot be read ({getattr(error, 'strerror', error)}): {path}", path="path") from error


def _read_header(path: Path) -> ReleaseHeader:
    """Read what stands before the samples, and only if that is not all, walk past them."""
    with _opened(path) as file:
        text = ReleaseText(file, path.name)
        for _ in text:
            if _is_whole(text.header) and _ends_as_usual(path):
                break
    try:
        return structure(text.header, ReleaseHeader)
    except DecodeError as error:
        raise DecodeError(f"{path.name} is no release: {error.problem}", path=error.path, payload=text.header) from None


def _is_whole(header: Mapping[str, Any]) -> bool:
    dataset = header.get("dataset")
    return header.keys() >= _HEADER_KEYS and isinstance(dataset, dict) and dataset.keys() >= _DATASET_KEYS


def _ends_as_usual(path: Path) -> bool:
    with _opened(path) as file:
        file.seek(max(0, path.stat().st_size - 1024))
        return b"".join(file.read().split()).endswith(_USUAL_END)


def _placed(error: DecodeError, index: int, raw: Any) -> DecodeError:
    """Say which sample is at fault."""
    joint = "." if error.path and not error.path.startswith("[") else ""
    name = raw.get("name") if isinstance(raw, dict) else None
    whose = "" if name is None else f" (sample {name!r})"
    return DecodeError(f"{error.problem}{whose}", path=f"dataset.samples[{index}]{joint}{error.path}", payload=raw)
