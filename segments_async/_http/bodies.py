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

    async def read(self, response: httpx.Response, scope: CancelScope) -> None:
        """
        Read *response*; *scope*, which the caller has entered, is cancelled if the rest must not be read.

        The loop is left by cancellation because trio warns about async generators that are left in the middle.
        """
        self._is_success = response.is_success
        if not self._is_success:
            self._limit = MAX_ERROR_BYTES
        if response.is_stream_consumed:  # a response that a mocking library has made is already read
            self._add(response.content)
            return
        coding = response.headers.get("content-encoding")
        if coding is None:
            await self._read_plain(response, scope)
        else:
            await self._read_coded(response, coding, scope)

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

    async def _read_plain(self, response: httpx.Response, scope: CancelScope) -> None:
        stream: Any = response.stream  # `aiter_raw` would pass each part through two more generators
        async for data in stream:
            self.received += len(data)
            if not self._add(data):
                scope.cancel()

    async def _read_coded(self, response: httpx.Response, coding: str, scope: CancelScope) -> None:
        try:
            decoder = decoder_for(coding)
        except CodingError as error:
            self.problem = error
            return
        stream: Any = response.stream  # as above
        async for data in stream:
            self.received += len(data)
            if not await self._decode(decoder, data):
                scope.cancel()
        if self.problem is None:
            try:
                decoder.finish()
            except CodingError as error:
                self.problem = error

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
