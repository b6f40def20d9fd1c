"""Read response bodies under a limit."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint

from segments_async._threads import run_sync
from segments_async._wire.content_coding import PIECE_BYTES, BodyDecoder, CodingError, decoder_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from anyio import CancelScope

    from segments_async._wire.replies import Reply
    from segments_async.errors import ApiError

MAX_ERROR_BYTES = 64 * 1024
"""Maximum bytes of an unsuccessful response that are read; enough for its message."""


THREAD_FROM_BYTES = 8 * 1024
"""Minimum size of an unsuccessful body that is read in a worker thread: masking its URLs may take 50 ms."""


class BodyTooLargeError(Exception):
    """The decoded body exceeds the limit."""


class Body:
    """
    The body of a response, decoded as it is read.

    Args:
        max_bytes: Maximum size of a successful response, counted after decompression. An unsuccessful response is cut
            after `MAX_ERROR_BYTES`, and the part that can be decoded is used.

    Attributes:
        problem: Why the body was not read to its end.
        received: Bytes on the wire so far.
    """

    def __init__(self, max_bytes: int) -> None:
        self.problem: Exception | None = None
        self.received = 0
        self._limit = max_bytes
        self._content = BytesIO()  # gives its content away without a copy
        self._is_success = True
        self._decoder: BodyDecoder | None = None

    def begin(self, status: int, coding: str | None) -> None:
        """Expect the body of a response, given its status and its ``Content-Encoding``."""
        self._is_success = 200 <= status < 300  # noqa: PLR2004
        if not self._is_success:
            self._limit = MAX_ERROR_BYTES
        if coding is not None:
            try:
                self._decoder = decoder_for(coding)
            except CodingError as error:
                self.problem = error

    async def take(self, data: bytes) -> bool:
        """Add the next bytes of the response; return whether the rest must be read too."""
        self.received += len(data)
        return self._add(data) if self._decoder is None else await self._decode(self._decoder, data)

    def end(self) -> None:
        """Check that the response was complete."""
        if self.problem is None and self._decoder is not None:
            try:
                self._decoder.finish()
            except CodingError as error:
                self.problem = error

    async def read(self, response: httpx.Response, scope: CancelScope) -> None:
        """
        Read *response*; *scope*, which the caller has entered, is cancelled if the rest must not be read.

        The loop is left by cancellation because trio warns about async generators that are left in the middle.
        """
        is_read = response.is_stream_consumed  # a mocking library has made it
        self.begin(response.status_code, None if is_read else response.headers.get("content-encoding"))
        if is_read:
            self._add(response.content)
        if is_read or self.problem is not None:
            return
        stream: Any = response.stream  # `aiter_raw` would pass each part through two more generators
        async for data in stream:
            if not await self.take(data):
                scope.cancel()
        self.end()

    def content(self) -> bytes:
        """
        Return what was read.

        Raises:
            BodyTooLargeError: A successful response is larger than the limit.
            CodingError: A successful response is not what its ``Content-Encoding`` says, or ended early.
        """
        if self.problem is not None and self._is_success:
            raise self.problem
        content = self._content.getvalue()
        return content if len(content) <= self._limit else content[: self._limit]

    async def _decode(self, decoder: BodyDecoder, data: bytes) -> bool:
        """Decode *data* and add it; return whether there may be more."""
        if self.problem is not None:
            return False
        try:
            for piece in decoder.feed(data):
                if not self._add(piece):
                    return False
                if len(piece) == PIECE_BYTES:  # a small body that expands a lot must not block the event loop
                    await checkpoint()
        except CodingError as error:
            self.problem = error
        return self.problem is None

    def _add(self, data: bytes) -> bool:
        """Add a piece of the content; return whether there may be more."""
        if self.problem is not None:
            return False
        self._content.write(data)
        if self._content.tell() > self._limit:
            self.problem = BodyTooLargeError()
        return self.problem is None


async def error_of(read: Callable[..., ApiError], reply: Reply, *, now: float) -> ApiError:
    """Return the error that *read* makes of an unsuccessful response, without blocking the event loop."""
    if len(reply.content) < THREAD_FROM_BYTES:
        return read(reply, now=now)
    return await run_sync(partial(read, reply, now=now), abandon_on_cancel=True)
