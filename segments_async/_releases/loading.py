"""Fetch and decode images and bitmaps, within a budget of memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from segments_async._streams.budget import Budget
from segments_async._threads import run_sync
from segments_async._wire.replies import redact_url
from segments_async.errors import DecodeError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from segments_async._releases.media import Fetched, SampleFiles
    from segments_async._streams.budget import Share
    from segments_async.models import URL

T = TypeVar("T")

BUDGET_BYTES = 1024**3
"""Memory of images and bitmaps that are being decoded or wait for the consumer; one item may exceed it."""
_COPIES_OF_IMAGE = 2
"""While an image is decoded: its pixels, and the upright copy."""
_COPIES_OF_BITMAP = 3
"""While a bitmap is decoded: its pixels, their bytes, and the array."""


class Loader:
    """Decodes images and bitmaps in worker threads, no more at a time than fit into the budget."""

    def __init__(self) -> None:
        self._budget = Budget(BUDGET_BYTES)

    def share(self) -> Share:
        """Return the share of the budget for the next item, in the order in which items are consumed."""
        return self._budget.share()

    async def image(self, files: SampleFiles, url: URL, share: Share, what: str) -> tuple[Image.Image, bytes]:
        """Fetch an image, and decode it; returns its file too. Errors name *what* was fetched."""
        from segments_async.images import load_image  # noqa: PLC0415 (an extra)

        def load(content: bytes) -> tuple[Image.Image, bytes]:
            return load_image(content), content

        return await _load(files, files.image, url, partial(_decode, load, share, _COPIES_OF_IMAGE), share, what)

    async def bitmap(self, files: SampleFiles, url: URL, share: Share, what: str) -> npt.NDArray[np.uint32]:
        """Fetch a bitmap, and decode it; errors name *what* was fetched."""
        from segments_async.images import decode_bitmap  # noqa: PLC0415 (an extra)

        decode = partial(_decode, decode_bitmap, share, _COPIES_OF_BITMAP)
        return await _load(files, files.bitmap, url, decode, share, what)


async def _load(
    files: SampleFiles,
    fetch: Callable[[URL], Awaitable[Fetched]],
    url: URL,
    decode: Callable[[bytes], Awaitable[T]],
    share: Share,
    what: str,
) -> T:
    """Fetch a file, and decode it. If a cached file is damaged, it is fetched again, once."""
    while True:
        await share.reserve(0)  # no more files arrive while there is no room to decode them
        try:
            fetched = await fetch(url)
        except SegmentsError as error:
            error.add_note(f"while fetching {what}")
            raise
        try:
            return await decode(fetched.content)
        except DecodeError as error:
            await files.remove(url)
            if fetched.was_cached:
                continue
            problem = f"{what} ({redact_url(url.url)}): {error.problem}"
            raise DecodeError(problem, payload=error.payload) from error.__cause__


async def _decode(decode: Callable[[bytes], T], share: Share, copies: int, content: bytes) -> T:
    """Decode a file in a worker thread, once there is memory for the result and for the copies made meanwhile."""
    from segments_async.images.pictures import decoded_bytes  # noqa: PLC0415 (an extra)
    from segments_async.images.png import pixel_count  # noqa: PLC0415 (an extra)

    share.add(len(content))
    reserved = len(content)
    result_bytes = 0
    try:
        pixels = pixel_count(content)  # a PNG says it in its first bytes, which saves a call in a worker thread
        size = 4 * pixels if pixels else await run_sync(decoded_bytes, content, abandon_on_cancel=True)
        await share.reserve(size * copies)
        reserved += size * copies
        result = await run_sync(decode, content, abandon_on_cancel=True)
        result_bytes = size
        return result
    finally:
        share.release(reserved - result_bytes)
