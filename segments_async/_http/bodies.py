"""Read response bodies under a limit."""

from __future__ import annotations

import anyio
import httpx
from anyio.lowlevel import checkpoint

from segments_async._wire.content_coding import PIECE_BYTES, BodyDecoder, CodingError, decoder_for

MAX_ERROR_BYTES = 64 * 1024
"""Maximum bytes of an unsuccessful response that are read; enough for its message."""


class BodyTooLargeError(Exception):
    """The decoded body exceeds the limit."""


async def read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """
    Read and decode the body of *response*.

    The body of an unsuccessful response is cut after `MAX_ERROR_BYTES`; the part that can be decoded is used.

    Raises:
        BodyTooLargeError: A successful response has more than *max_bytes*, counted after decompression.
        CodingError: The body is not what its ``Content-Encoding`` says, or ended early.
    """
    is_success = response.is_success
    limit = max_bytes if is_success else MAX_ERROR_BYTES
    try:
        content = response.content  # a response that a mocking library has made is already read
    except httpx.ResponseNotRead:
        content, problem = await _read(response, limit)
        if problem is not None and is_success:
            raise problem from None
    else:
        if is_success and len(content) > limit:
            raise BodyTooLargeError
    return content[:limit]


async def _read(response: httpx.Response, limit: int) -> tuple[bytes, Exception | None]:
    """Return the decoded body, or its beginning and why the rest is missing."""
    try:
        body = _Body(decoder_for(response.headers.get("content-encoding", "")), limit)
    except CodingError as error:
        return b"", error
    with anyio.CancelScope() as reading:
        async for data in response.aiter_raw():
            if body.problem is None:
                await body.add(data)
            if body.problem is not None:
                # The loop is left by cancellation: trio warns about async generators that are left in the middle.
                reading.cancel()
    return body.finish(), body.problem


class _Body:
    """The decoded body so far."""

    def __init__(self, decoder: BodyDecoder, limit: int) -> None:
        self.problem: Exception | None = None
        """Why the rest is not read."""
        self._decoder = decoder
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    async def add(self, data: bytes) -> None:
        """Decode a piece of the body."""
        try:
            for piece in self._decoder.feed(data):
                self._parts.append(piece)
                self._size += len(piece)
                if self._size > self._limit:
                    self.problem = BodyTooLargeError()
                    return
                if len(piece) == PIECE_BYTES:  # a small body that expands a lot must not block the event loop
                    await checkpoint()
        except CodingError as error:
            self.problem = error

    def finish(self) -> bytes:
        """Check that the body is complete, and return it."""
        if self.problem is None:
            try:
                self._decoder.finish()
            except CodingError as error:
                self.problem = error
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
