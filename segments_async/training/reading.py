"""Read the items of a release in code that is not async."""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar, copy_context
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack

from attrs import field, frozen

from segments_async import AsyncSegments
from segments_async._misuse import NeedsWith
from segments_async._releases import ReleaseFile
from segments_async._releases.source import local_path
from segments_async._validators import as_path
from segments_async.errors import ClientStateError, InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Literal

    from segments_async import ReleaseItem, ReleaseItems
    from segments_async._releases.items import SkippedItem
    from segments_async._releases.source import ReleaseSource

T = TypeVar("T")
_log = logging.getLogger("segments_async")
CLOSE_SECONDS = 10.0
"""Maximum seconds to wait for a reader's thread when a loop is left or the process exits."""

_in_reader: ContextVar[bool] = ContextVar("in the thread of a reader", default=False)
"""True in a reader's event loop and in its worker threads, where waiting for the loop would never end."""


class ItemOptions(TypedDict, total=False):
    """
    The arguments of ``client.releases.iterate`` that choose the items; it explains them.

    Example::

        options: ItemOptions = {"label_status": "REVIEWED", "shuffle_buffer": 1000, "seed": 7}
        dataset = to_torch("flowers-v1.json", **options)
    """

    images: bool
    """Whether to fetch and decode images. If not, there is one item per sample."""
    bitmaps: bool
    """Whether to fetch and decode the bitmaps of segmentation labels."""
    labelset: str
    """The labelset of the labels, by default ``"ground-truth"``."""
    label_status: str | Iterable[str] | None
    """Only samples whose label has one of these statuses."""
    metadata: Mapping[str, Any] | str | Iterable[str] | None
    """Only samples with all of these."""
    shuffle_buffer: int
    """Images to choose the next one from at random, before they are downloaded; 0, the default, keeps the order."""
    seed: int
    """Determines the order."""
    prefetch: int
    """Images fetched or buffered ahead, by default 16, at most 1000; by each worker."""
    cache: str | os.PathLike[str] | None
    """Folder that caches images, bitmaps and release files; workers may share it."""
    on_error: Literal["raise", "skip"]
    """``"skip"`` leaves out what cannot be fetched, decoded or transformed."""


@frozen(kw_only=True)
class Reading:
    """What to read, and with which client; it can be sent to worker processes."""

    source: ReleaseSource
    name: str | None
    client: Callable[[], AsyncSegments] = field(repr=False)  # it may have the API key among its arguments
    options: ItemOptions

    @classmethod
    def of(
        cls,
        source: ReleaseSource,
        name: str | None,
        client: Callable[[], AsyncSegments],
        options: ItemOptions,
        *,
        shard: tuple[int, int] | None = None,
    ) -> Self:
        """
        Check the arguments, before a worker fails for them.

        Raises:
            InputError: One is invalid.
            AuthenticationError: There is no API key.
        """
        if isinstance(source, ReleaseFile):
            raise InputError("expected a path, a URL, a Release or a dataset, not an open file", path="source")
        cache = options.get("cache")
        if cache is not None:  # a worker that is spawned starts in another folder if this process has changed its own
            options = {**options, "cache": as_path(cache, "cache").absolute()}
        client().releases.iterate(source, name, shard=shard or (0, 1), **options)
        path = local_path(source, name)
        return cls(source=source if path is None else path.absolute(), name=name, client=client, options=options)

    def open(self, *, shard: tuple[int, int] = (0, 1), epoch: int = 0, files: bool = False) -> ItemReader:
        """Start to read; each *epoch* has an order of its own."""
        options: ItemOptions = {**self.options, "seed": self.options.get("seed", 0) + epoch}

        @asynccontextmanager
        async def opened() -> AsyncIterator[ReleaseItems]:
            async with (
                self.client() as client,
                client.releases.iterate(self.source, self.name, shard=shard, files=files, **options) as items,
            ):
                yield items

        return ItemReader(opened)

    def results(
        self,
        transform: Callable[[ReleaseItem], T],
        *,
        shard: tuple[int, int] = (0, 1),
        epoch: int = 0,
        files: bool = False,
    ) -> Iterator[T]:
        """Read, and call *transform* with each item; what is left out is logged."""
        with self.open(shard=shard, epoch=epoch, files=files) as items:
            for item in items:
                try:
                    result = transform(item)
                except Exception as error:
                    if self.options.get("on_error") != "skip":
                        error.add_note(f"while transforming an image of sample {item.sample.name!r}")
                        raise
                    _log.warning("left out sample %r, which cannot be transformed", item.sample.name, exc_info=True)
                else:
                    yield result
            for left_out in items.skipped:
                of = "a sample" if left_out.sample is None else f"sample {left_out.sample.name!r}"
                _log.warning("left out %s: %s", of, left_out.error)


def read_items(
    source: ReleaseSource,
    name: str | None = None,
    *,
    client: Callable[[], AsyncSegments] = AsyncSegments,
    shard: tuple[int, int] = (0, 1),
    files: bool = False,
    **options: Unpack[ItemOptions],
) -> ItemReader:
    """
    Read the items of a release in code that is not async: ``client.releases.iterate`` as a plain iterator.

    Example::

        with read_items("flowers-v1.json", label_status="REVIEWED", cache="images") as items:
            for sample, image, label, bitmap in items:
                train_on(image, bitmap)

    A client runs in a thread of its own, which keeps downloading while the loop computes.

    Args:
        source: The path of a release file; or a dataset, together with *name*; or a `Release`, or the URL of a file.
        name: The release's name.
        client: Called in the thread to make the client, such as ``functools.partial(AsyncSegments, api_key)``.
        shard: ``(index, count)``: only every *count*-th sample, starting at *index*.
        files: Whether to keep the file of each image, in `ReleaseItem.file`.
        options: The other arguments of ``client.releases.iterate``.

    Returns:
        An iterator, and a context manager that closes it.

    Raises:
        InputError: An argument is invalid; or as in ``client.releases.iterate``.
        AuthenticationError: There is no API key.
    """
    return Reading.of(source, name, client, options, shard=shard).open(shard=shard, files=files)


class ItemReader(NeedsWith, Iterator["ReleaseItem"]):
    """
    The items of a release, from `read_items`.

    It closes itself after the last item, when it is garbage-collected, and at the latest when the process exits. An
    error of an image is raised in its place; the next item then tries that image again.

    Example::

        with read_items("flowers-v1.json") as items:
            first = next(items)
    """

    _in_async_code = "'client.releases.iterate(...)'"

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[ReleaseItems]]) -> None:
        self._thread = _ReaderThread(opened)
        self._pending: Future[ReleaseItem | None] | None = None
        self._ended = False
        # Also at exit, when a generator's or an object's own finalizer would wait for a thread that is gone.
        self._close = weakref.finalize(self, self._thread.close)

    @property
    def release(self) -> ReleaseFile:
        """The release file: ``dataset.task_attributes`` lists the categories."""
        return self._thread.items.release

    @property
    def skipped(self) -> list[SkippedItem]:
        """Items left out so far with ``on_error="skip"``, each with its error."""
        return self._thread.items.skipped

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ReleaseItem:
        if self._ended:
            raise StopIteration
        if not self._close.alive:
            raise ClientStateError("this reader is closed; call read_items() again")
        if self._pending is None:
            self._pending = self._thread.request_item()
        try:
            item = self._pending.result()  # if Ctrl-C interrupts it, the next call waits for the same item
        except CancelledError:
            raise ClientStateError("this reader was closed while an item was awaited") from None
        finally:
            if self._pending.done():
                self._pending = None
        if item is None:
            self._ended = True
            self.close()
            raise StopIteration
        return item

    def close(self) -> None:
        """
        Cancel the downloads in progress, and close the client; more calls do nothing.

        Example::

            items = read_items("flowers-v1.json")
            try:
                first = next(items)
            finally:
                items.close()
        """
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _ReaderThread:
    """A thread with an event loop in which the items are open. It does not refer to the `ItemReader`."""

    items: ReleaseItems

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[ReleaseItems]]) -> None:
        self._process = os.getpid()
        self._context = copy_context()
        self._context.run(_in_reader.set, True)  # noqa: FBT003 (the value)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        started: Future[ReleaseItems] = Future()
        run = self._context.copy().run
        self._thread = Thread(target=run, args=(self._run, opened, started), name="segments_async reader", daemon=True)
        self._thread.start()
        try:
            self.items = started.result()
        except BaseException:
            self.close()
            raise

    def request_item(self) -> Future[ReleaseItem | None]:
        """
        Return the next item; None after the last one.

        Raises:
            ClientStateError: This process was forked from the one with the thread.
        """
        if self._process != os.getpid():
            raise ClientStateError("this reader was opened before a fork; call read_items() in the new process")
        assert self._loop is not None
        request = asyncio.run_coroutine_threadsafe
        return self._context.copy().run(request, self._next_item(), self._loop)  # the caller's says it is elsewhere

    async def _next_item(self) -> ReleaseItem | None:
        return await anext(self.items, None)

    def close(self) -> None:
        """Close the items and the client, and wait for it unless this is called where that would never end."""
        self._closed = True
        if self._process != os.getpid():
            return
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._task.cancel)
        if not _in_reader.get() and current_thread() is not self._thread:  # a garbage collection starts in any thread
            self._thread.join(CLOSE_SECONDS)

    def _run(
        self, opened: Callable[[], AbstractAsyncContextManager[ReleaseItems]], started: Future[ReleaseItems]
    ) -> None:
        try:
            asyncio.run(self._serve(opened, started))
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits for it)
            if started.done():
                _log.debug("closing a reader failed", exc_info=True)
            else:
                started.set_exception(error)

    async def _serve(
        self, opened: Callable[[], AbstractAsyncContextManager[ReleaseItems]], started: Future[ReleaseItems]
    ) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._closed:
            return
        async with opened() as items:
            started.set_result(items)
            await asyncio.Event().wait()
