"""Receive the body of a download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpx
from anyio.lowlevel import checkpoint

from segments_async._wire.content_coding import PIECE_BYTES, BodyDecoder, CodingError, decoder_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._transfer.pace import Pace
    from segments_async._transfer.partial import Sink
    from segments_async.errors import TransportError


class Receiver:
    """Decodes the body of a response, and writes it to a sink."""

    def __init__(
        self,
        sink: Sink,
        decoder: BodyDecoder,
        end: int | None,
        pace: Pace,
        report_progress: Callable[[], None],
        too_long: Callable[[], TransportError],
    ) -> None:
        self._sink = sink
        self._decoder = decoder
        self._end = end
        """The size of the sink after the body; None if it is unknown."""
        self._pace = pace
        self._report_progress = report_progress
        self._too_long = too_long
        self.received = 0
        """Bytes on the wire so far."""
        self.problem: Exception | None = None
        """The exception of the sink or of the progress callback, if any."""

    async def run(self, response: httpx.Response) -> None:
        """
        Receive the body, until it ends or there is a `problem`.

        trio warns about async generators that are not exhausted. So the loop never leaves the body's iterator early:
        writing is shielded, and a cancellation or an error of the sink takes effect at the next read.

        Raises:
            CodingError: The body is not what its ``Content-Encoding`` says, or ended early.
        """
        try:
            content = response.content  # a response that a mocking library has made is already read and decoded
        except httpx.ResponseNotRead:
            pass
        else:
            self._decoder = decoder_for("")
            self.problem = await self._write(content)
            return
        self._pace.start_body()
        stream: Any = response.stream  # `aiter_raw` would pass each part through two more generators
        async for data in stream:
            self.received += len(data)
            if self.problem is None:
                self._pace.moved(len(data))
                if len(data) < PIECE_BYTES and self._sink.has_room(len(data)) and not self._decoder.is_coded:
                    self.problem = await self._write(data)  # does not wait
                else:
                    self.problem = await self._write_shielded(data)
            if self.problem is not None:
                self._pace.stop(self.problem)
        if self.problem is None:
            self._decoder.finish()
        elif isinstance(self.problem, CodingError):
            raise self.problem

    async def _write_shielded(self, data: bytes) -> Exception | None:
        self._pace.pause()
        with anyio.CancelScope(shield=True):
            problem = await self._write(data)
        self._pace.resume()
        return problem

    async def _write(self, data: bytes) -> Exception | None:
        """Write a piece of the body, and return the exception that this raises."""
        try:
            for piece in self._decoder.feed(data):
                await self._sink.write(piece)
                if len(piece) == PIECE_BYTES:  # a small body that expands a lot must not block the event loop
                    await checkpoint()
            if self._end is not None and self._sink.size > self._end:
                await self._sink.restart()
                return self._too_long()
            self._report_progress()
        except Exception as error:  # noqa: BLE001 (raised when the body is exhausted)
            return error
        return None
