"""Iterate over the images of a release with their samples, labels and bitmaps, for training loops."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from attrs import asdict, field, frozen

from segments_async._misuse import NeedsAsyncFor, NeedsAsyncWith
from segments_async._releases.filters import SampleFilter
from segments_async._releases.images import View, views_of
from segments_async._releases.loading import Loader
from segments_async._streams.prefetch import Prefetcher
from segments_async._streams.shuffle import Shuffle
from segments_async._validators import count, flag, integer
from segments_async._wire.arguments import check_count, check_on_error
from segments_async.errors import ClientStateError, DecodeError, InputError, OutOfResourcesError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from segments_async._releases import ReleaseFile, ReleaseSamples
    from segments_async._releases.media import ReleaseFiles, SampleFiles
    from segments_async._streams.budget import Share
    from segments_async._wire.arguments import OnError
    from segments_async.models import Annotation, CalibratedImage, Label, ReleaseSample

    _Loaded = tuple["ReleaseItem | SkippedItem", Share]
    _Job = Callable[[], Awaitable[_Loaded]]
    _Unpacked = tuple[ReleaseSample, Image.Image | None, Label | None, npt.NDArray[np.uint32] | None]
else:
    _Unpacked = object  # for type checkers alone, it is the tuple of the four values

_MAX_PREFETCH = 1000
_CACHE = "cache"
_UNPACKED = 4


@frozen(eq=False)
class ReleaseItem(_Unpacked):
    """
    An image of a release, from ``releases.iterate``.

    It unpacks to its first four values: the sample, the image, the label and the bitmap. It can be pickled and copied,
    and it is not a tuple, so that ``DataLoader(batch_size=None)`` and ``tree_map`` pass it on unchanged.

    Example::

        async for item in items:
            sample, image, label, bitmap = item
            smaller = item._replace(image=image.resize((640, 480)))
    """

    sample: ReleaseSample
    """The sample, as in the release."""
    image: Image.Image | None
    """One of its images, decoded and upright; None with ``images=False``."""
    label: Label | None
    """Its label in the labelset; None if it is not labelled."""
    bitmap: npt.NDArray[np.uint32] | None
    """Height x width: each pixel's annotation id, 0 where nothing is labelled; None if the image has no bitmap."""
    frame: int | None = None
    """Index of the frame, from 0; None if the sample is not a sequence."""
    sensor: str | None = None
    """Name of the sensor; None if the sample does not have several."""
    camera: CalibratedImage | None = None
    """The camera of a point cloud, with its name, pose and intrinsics; None for any other image."""
    annotations: Sequence[Annotation | dict[str, Any]] = ()
    """The annotations of `label` in this image, or in its point cloud; dicts if their type is unknown."""
    file: bytes | None = field(default=None, repr=False)
    """The file of `image` as it was downloaded, with ``files=True``."""

    if not TYPE_CHECKING:

        def __iter__(self) -> Iterator[Any]:
            return iter((self.sample, self.image, self.label, self.bitmap))

        def __len__(self) -> int:
            return _UNPACKED

        def __getitem__(self, index: int | slice) -> Any:
            return tuple(self)[index]

        def count(self, value: Any) -> int:
            """Return how many of the four values equal *value*."""
            return tuple(self).count(value)

        def index(self, value: Any, *bounds: int) -> int:
            """Return the position of *value* among the four values."""
            return tuple(self).index(value, *bounds)

    def _replace(self, **changes: Any) -> Self:
        """Return a copy with other values of these fields."""
        return type(self)(**(self._asdict() | changes))

    def _asdict(self) -> dict[str, Any]:
        """Return all fields by name."""
        return asdict(self, recurse=False)


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
    shuffle_buffer: int = field(validator=count(0))
    seed: int = field(validator=integer)
    files: bool = field(validator=flag)
    on_error: OnError = field(validator=_on_error)


class ReleaseItems(NeedsAsyncWith, NeedsAsyncFor, AsyncIterator[ReleaseItem]):
    """
    A release with its images: an async context manager, and an iterator over `ReleaseItem`.

    Example::

        async with client.releases.iterate("flowers-v1.json") as items:
            async for sample, image, label, bitmap in items:
                train_on(image, bitmap)

    Items come in the order of the file. An error is raised without an exception group, after the items before it;
    continuing after it tries its image again. Several tasks may iterate: each item goes to one of them. A loop that
    starts after the last item raises `ClientStateError`: call ``releases.iterate`` again for the next epoch.
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
        self._loader = Loader()
        self._options = options
        self._entered = False
        self._exhausted = False
        self._stack = AsyncExitStack()
        self._prefetcher: Prefetcher[_Loaded] | None = None
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
            stack.push_async_callback(self._files.close)
            self._file = await stack.enter_async_context(self._opened)
            sample_filter = SampleFilter.of(
                self._file.dataset, options.labelset, options.label_status, options.metadata
            )
            self._samples = self._file.select(sample_filter, shard=options.shard, on_error=options.on_error)
            views = Shuffle(_Views(self._samples, self._views_of), options.shuffle_buffer, options.seed)
            self._prefetcher = Prefetcher(_Jobs(views, self._job_of), options.prefetch)
            await stack.enter_async_context(self._prefetcher)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    def __aiter__(self) -> Self:
        if self._exhausted:
            raise ClientStateError("all items were taken; call releases.iterate() again to read them once more")
        return self

    async def __anext__(self) -> ReleaseItem:
        if self._prefetcher is None:
            raise ClientStateError("this can be iterated over only inside its 'async with'")
        while True:
            try:
                item, share = await self._prefetcher.take()
            except StopAsyncIteration:
                self._exhausted = True
                raise
            share.close()
            if isinstance(item, ReleaseItem):
                return item
            self._skipped.append(item)

    def _views_of(self, sample: ReleaseSample) -> list[_SampleView]:
        """Return each image of a sample; without images, the sample as a whole."""
        label = sample.labels.get(self._options.labelset)
        attributes = None if label is None else label.attributes
        files = self._files.of_sample(sample)
        views = [View(image=None, label=attributes)]
        if self._options.images:
            try:
                with _as_segments_errors(sample.name):
                    views = list(views_of(sample.attributes, attributes, sample=sample.name)) or views
            except SegmentsError as error:
                return [_SampleView(sample, label, files, error)]
        return [_SampleView(sample, label, files, view) for view in views]

    def _job_of(self, view: _SampleView) -> _Job:
        """Return the job that loads an image. Jobs are created in the order of their items, as their shares must be."""
        share = self._loader.share()
        if isinstance(view.view, SegmentsError):
            return partial(self._fail, view.sample, view.view, share)
        return partial(self._load_or_skip, view.sample, view.files, view.label, view.view, share)

    async def _load_or_skip(
        self, sample: ReleaseSample, files: SampleFiles, label: Label | None, view: View, share: Share
    ) -> _Loaded:
        is_loaded = False
        try:
            with _as_segments_errors(sample.name):
                item = await self._load(sample, files, label, view, share)
        except ClientStateError:
            raise
        except SegmentsError as error:
            if self._options.on_error == "raise" or _affects_all_samples(error):
                raise
            return SkippedItem(sample, error), share
        else:
            is_loaded = True
            return item, share
        finally:
            if not is_loaded:
                share.release(share.size)

    async def _fail(self, sample: ReleaseSample, error: SegmentsError, share: Share) -> _Loaded:
        if self._options.on_error == "raise":
            raise error
        return SkippedItem(sample, error), share

    async def _load(
        self, sample: ReleaseSample, files: SampleFiles, label: Label | None, view: View, share: Share
    ) -> ReleaseItem:
        """Fetch and decode an image of *sample* and its bitmap."""
        image = bitmap = file = None
        if self._options.images:
            if view.image is None:
                raise InputError(f"sample {sample.name!r} has no image; pass images=False", path="images")
            what = f"the image of sample {sample.name!r}{view}"
            image, file = await self._loader.image(files, view.image, share, what)
        if self._options.bitmaps and view.bitmap is not None:
            what = f"the label bitmap of sample {sample.name!r}{view}"
            bitmap = await self._loader.bitmap(files, view.bitmap, share, what)
        return ReleaseItem(
            sample,
            image,
            label,
            bitmap,
            frame=view.frame,
            sensor=view.sensor,
            camera=view.camera,
            annotations=view.annotations,
            file=file if self._options.files else None,
        )


@contextmanager
def _as_segments_errors(sample: str) -> Iterator[None]:
    """Convert whatever a sample, its image or its bitmap provokes into a `SegmentsError`."""
    try:
        yield
    except SegmentsError:
        raise
    except Exception as error:
        raise DecodeError(f"sample {sample!r}: {type(error).__name__}: {error}") from error


def _affects_all_samples(error: SegmentsError) -> bool:
    """Return whether every other sample would fail too, such as on a full disk."""
    return isinstance(error, InputError | OutOfResourcesError) and error.path == _CACHE


class _SampleView(NamedTuple):
    """An image of a sample, or the error that its attributes provoke."""

    sample: ReleaseSample
    label: Label | None
    files: SampleFiles
    """Shared by the images of a sample, so that its signed URLs are renewed once."""
    view: View | SegmentsError


class _Views(AsyncIterator[_SampleView]):
    """The images of the samples."""

    def __init__(self, samples: ReleaseSamples, views_of: Callable[[ReleaseSample], list[_SampleView]]) -> None:
        self._samples = samples
        self._views_of = views_of
        self._queue: deque[_SampleView] = deque()

    async def __anext__(self) -> _SampleView:
        while not self._queue:
            self._queue.extend(self._views_of(await anext(self._samples)))
        return self._queue.popleft()


class _Jobs(AsyncIterator["_Job"]):
    """The jobs of the images."""

    def __init__(self, views: AsyncIterator[_SampleView], job_of: Callable[[_SampleView], _Job]) -> None:
        self._views = views
        self._job_of = job_of

    async def __anext__(self) -> _Job:
        return self._job_of(await anext(self._views))
