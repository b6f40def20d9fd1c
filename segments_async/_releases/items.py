"""Iterate over the images of a release with their samples, labels and bitmaps, for training loops."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from anyio.to_thread import run_sync
from attrs import field, frozen

from segments_async._releases.images import View, views_of
from segments_async._streams.prefetch import Prefetcher
from segments_async._validators import flag
from segments_async._wire.arguments import check_count, check_on_error
from segments_async._wire.replies import redact_url
from segments_async.errors import ClientStateError, DecodeError, InputError, OutOfResourcesError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from segments_async._releases import ReleaseFile, ReleaseSamples
    from segments_async._releases.media import ReleaseFiles, SampleFiles
    from segments_async._wire.arguments import OnError
    from segments_async.models import URL, Annotation, CalibratedImage, Label, ReleaseSample

    _Job = Callable[[], Awaitable["ReleaseItem | SkippedItem"]]

T = TypeVar("T")

_MAX_PREFETCH = 1000
_CACHE = "cache"


class _Parts(NamedTuple):
    sample: ReleaseSample
    """The sample, as in the release."""
    image: Image.Image | None
    """One of its images, decoded and upright; None with ``images=False``."""
    label: Label | None
    """Its label in the labelset; None if it is not labelled."""
    bitmap: npt.NDArray[np.uint32] | None
    """Height x width: each pixel's annotation id, 0 where nothing is labelled; None if the image has no bitmap."""


class ReleaseItem(_Parts):
    """An image of a release; unpacks to the sample, the image, the label and the bitmap. See ``releases.iterate``."""

    frame: int | None = None
    """Index of the frame, from 0; None if the sample is not a sequence."""
    sensor: str | None = None
    """Name of the sensor; None if the sample does not have several."""
    camera: CalibratedImage | None = None
    """The camera of a point cloud, with its name, pose and intrinsics; None for any other image."""
    annotations: Sequence[Annotation | dict[str, Any]] = ()
    """The annotations of `label` in this image, or in its point cloud; dicts if their type is unknown."""


class SkippedItem(NamedTuple):
    """One sample that was left out with ``on_error="skip"``."""

    sample: ReleaseSample | None
    """The sample; None if it does not decode, in which case it is the `payload` of the error."""
    error: SegmentsError
    """The error of the sample, its image or its bitmap."""


def _on_error(_: Any, _attribute: Any, value: Any) -> None:
    check_on_error(value)


def _prefetch(_: Any, attribute: Any, value: Any) -> None:
    check_count(value, attribute.name, _MAX_PREFETCH)


def _shard(_: Any, attribute: Any, value: Any) -> None:
    match value:
        case (int(index), int(count)) if 0 <= index < count:
            return
    raise InputError(f"expected (index, count), the index from 0 to count - 1, got {value!r}", path=attribute.name)


@frozen(kw_only=True)
class IterateOptions:
    """The arguments of ``releases.iterate``, which explains them."""

    images: bool = field(validator=flag)
    bitmaps: bool = field(validator=flag)
    labelset: str
    label_status: str | Iterable[str] | None
    metadata: Mapping[str, Any] | str | Iterable[str] | None
    prefetch: int = field(validator=_prefetch)
    shard: tuple[int, int] = field(validator=_shard)
    on_error: OnError = field(validator=_on_error)


class ReleaseItems(AsyncIterator[ReleaseItem]):
    """
    A release with its images: an async context manager, and an iterator over `ReleaseItem`.

    Example:
        ::

            async with client.releases.iterate("flowers-v1.json") as items:
                async for sample, image, label, bitmap in items:
                    train_on(image, bitmap)

    Items come in the order of the file. An error is raised without an exception group, after the items before it;
    continuing after it tries its image again. Several tasks may iterate: each item goes to one of them.
    """

    def __init__(
        self,
        opened: AbstractAsyncContextManager[ReleaseFile],
        files: ReleaseFiles,
        options: IterateOptions,
    ) -> None:
        if options.images or options.bitmaps:
            import segments_async.images  # noqa: F401, PLC0415 (an extra: raises early if it is not installed)
        self._opened = opened
        self._file: ReleaseFile | None = None
        self._files = files
        self._options = options
        self._entered = False
        self._stack = AsyncExitStack()
        self._prefetcher: Prefetcher[ReleaseItem | SkippedItem] | None = None
        self._samples: ReleaseSamples | None = None
        self._skipped: list[SkippedItem] = []

    @property
    def release(self) -> ReleaseFile:
        """The release file: ``dataset.task_attributes`` lists the categories, and ``summary()`` counts them."""
        if self._file is None:
            raise ClientStateError("this release can be read only inside its 'async with'")
        return self._file

    @property
    def skipped(self) -> list[SkippedItem]:
        """Items left out so far with ``on_error="skip"``: first samples that do not decode, then others, in order."""
        undecoded = () if self._samples is None else self._samples.skipped
        return [*(SkippedItem(None, error) for error in undecoded), *self._skipped]

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ClientStateError("this block was entered before; make another")
        self._entered = True
        options = self._options
        async with AsyncExitStack() as stack:
            await self._files.open()
            self._file = await stack.enter_async_context(self._opened)
            self._samples = self._file.samples(
                labelset=options.labelset,
                label_status=options.label_status,
                metadata=options.metadata,
                on_error=options.on_error,
            )
            self._prefetcher = Prefetcher(_Jobs(self._samples, self._jobs_of, options.shard), options.prefetch)
            await stack.enter_async_context(self._prefetcher)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    async def __anext__(self) -> ReleaseItem:
        if self._prefetcher is None:
            raise ClientStateError("this can be iterated over only inside its 'async with'")
        while isinstance(item := await self._prefetcher.take(), SkippedItem):
            self._skipped.append(item)
        return item

    def _jobs_of(self, sample: ReleaseSample) -> list[_Job]:
        """Return a job for each image of a sample; without images, a single one for the sample."""
        label = sample.labels.get(self._options.labelset)
        attributes = None if label is None else label.attributes
        views = [View(image=None, label=attributes)]
        if self._options.images:
            views = list(views_of(sample.attributes, attributes)) or views
        files = self._files.of_sample(sample)
        return [partial(self._load, sample, files, label, view) for view in views]

    async def _load(
        self, sample: ReleaseSample, files: SampleFiles, label: Label | None, view: View
    ) -> ReleaseItem | SkippedItem:
        """Fetch and decode an image of *sample* and its bitmap."""
        image = bitmap = None
        try:
            if self._options.images:
                image = await self._image(sample, files, view)
            if self._options.bitmaps and view.bitmap is not None:
                bitmap = await self._bitmap(sample, files, view, view.bitmap)
        except ClientStateError:
            raise
        except SegmentsError as error:
            if self._options.on_error == "raise" or _affects_all_samples(error):
                raise
            return SkippedItem(sample, error)
        item = ReleaseItem(sample, image, label, bitmap)
        item.frame, item.sensor, item.camera, item.annotations = view.frame, view.sensor, view.camera, view.annotations
        return item

    async def _image(self, sample: ReleaseSample, files: SampleFiles, view: View) -> Image.Image:
        from segments_async.images import load_image  # noqa: PLC0415 (an extra)

        if view.image is None:
            raise InputError(f"sample {sample.name!r} has no image; pass images=False", path="images")
        what = f"the image of sample {sample.name!r}{view}"
        return await _fetch_and_decode(files, files.image, view.image, load_image, what)

    async def _bitmap(
        self, sample: ReleaseSample, files: SampleFiles, view: View, bitmap: URL
    ) -> npt.NDArray[np.uint32]:
        from segments_async.images import decode_bitmap  # noqa: PLC0415 (an extra)

        what = f"the label bitmap of sample {sample.name!r}{view}"
        return await _fetch_and_decode(files, files.bitmap, bitmap, decode_bitmap, what)


async def _fetch_and_decode(
    files: SampleFiles,
    fetch: Callable[[URL], Awaitable[bytes]],
    url: URL,
    decode: Callable[[bytes], T],
    what: str,
) -> T:
    """Fetch a file, and decode it in a worker thread; errors name *what* was fetched."""
    try:
        return await run_sync(partial(decode, await fetch(url)), abandon_on_cancel=True)
    except DecodeError as error:
        await files.remove(url)
        raise DecodeError(f"{what} ({redact_url(url.url)}): {error.problem}", payload=error.payload) from None
    except SegmentsError as error:
        error.add_note(f"while fetching {what}")
        raise


def _affects_all_samples(error: SegmentsError) -> bool:
    """Return whether every other sample would fail too, such as on a full disk."""
    return isinstance(error, InputError | OutOfResourcesError) and error.path == _CACHE


class _Jobs(AsyncIterator["_Job"]):
    """The jobs of the samples of a shard."""

    def __init__(
        self, samples: ReleaseSamples, jobs_of: Callable[[ReleaseSample], list[_Job]], shard: tuple[int, int]
    ) -> None:
        self._samples = samples
        self._jobs_of = jobs_of
        self._to_skip, self._shard_count = shard
        self._queue: deque[_Job] = deque()

    async def __anext__(self) -> _Job:
        if not self._queue:
            while self._to_skip:
                await anext(self._samples)
                self._to_skip -= 1
            self._to_skip = self._shard_count - 1
            self._queue.extend(self._jobs_of(await anext(self._samples)))
        return self._queue.popleft()
