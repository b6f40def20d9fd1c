"""A socket on asyncio that is watched all the time, which saves two system calls and a turn of the loop each time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
from anyio.abc import ByteStream
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping


class AsyncioStream(ByteStream, asyncio.Protocol):
    """
    A stream of anyio over a transport of asyncio.

    anyio's own tells the event loop to watch the socket before each read, and not to watch it afterwards. This one
    stops watching only if something arrives that nobody waits for, so that a server cannot fill the memory. After
    writing, anyio lets all other tasks run; a task that waits for an answer does so anyway.

    Args:
        stream: The stream of anyio that it replaces.
        transport: Its transport.
    """

    def __init__(self, stream: Any, transport: asyncio.Transport) -> None:
        self._stream = stream
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_closed = False
        self._has_waited = True
        """Whether the last `receive` waited for something to arrive."""
        before: Any = transport.get_protocol()
        self.read_queue: deque[bytes] = before.read_queue
        """What has arrived and was not read yet."""
        self._is_at_end: bool = before.is_at_eof
        self._error: Exception | None = before.exception
        transport.set_protocol(self)

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        attributes: Mapping[Any, Callable[[], Any]] = self._stream.extra_attributes
        return attributes

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if self.read_queue or self._is_at_end or self._transport.is_closing():
            # What has arrived is read at once, but a flood of it must not keep the loop from other tasks.
            await (checkpoint_if_cancelled() if self._has_waited else checkpoint())
            self._has_waited = False
        else:
            self._transport.resume_reading()
            self._waiter = self._loop.create_future()
            await self._waiter
            self._has_waited = True
        if not self.read_queue:
            self._check_open()
            raise EndOfStream
        data = self.read_queue.popleft()
        if len(data) > max_bytes:
            self.read_queue.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        return data

    async def send(self, item: bytes) -> None:
        await checkpoint_if_cancelled()
        await self._writable.wait()
        self._check_open()
        try:
            self._transport.write(item)
        except RuntimeError as error:  # of uvloop, if it is closing
            raise BrokenResourceError from error
        if not self._writable.is_set():
            await self._writable.wait()
            self._check_open()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        self._is_closed = True
        self._transport.abort()
        await checkpoint()

    def data_received(self, data: bytes) -> None:
        self.read_queue.append(bytes(data))
        if not self._wake():
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._is_at_end = True
        self._wake()
        return True  # what was written must still arrive

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc or self._error
        self._is_at_end = True
        self._wake()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _wake(self) -> bool:
        """Wake the task that reads; return whether there is one."""
        if self._waiter is None or self._waiter.done():
            return False
        self._waiter.set_result(None)
        return True

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedResourceError
        if self._error is not None:
            raise BrokenResourceError from self._error
