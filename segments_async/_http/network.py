"""
Network streams for httpcore.

They close when a TLS handshake is cancelled, detect an early response, and can be checked for unread bytes.

These classes implement httpcore's interfaces without inheriting from them, because importing httpcore imports trio.
"""

from __future__ import annotations

import select
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._http.exchange import CLOSE_SECONDS, Exchange
from segments_async._http.sockets import make_patient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpcore

WATCH_FROM_BYTES = 64 * 1024
"""While at least this much is written at once, an early response is read at the same time."""
READ_BYTES = 64 * 1024
HEAD_START_SECONDS = 0.02
"""Seconds that a write waits if the socket is readable: by an early response or, over TLS, perhaps a session ticket."""
_SOCKS_VERSIONS = frozenset({b"\1", b"\5"})
"""First bytes of the messages to a SOCKS proxy (RFC 1928 and 1929); a request begins with a letter."""
_PARTS_OF_PROTOCOL = ("read_queue", "is_at_eof", "exception")
"""What `AsyncioStream` takes over from the protocol of anyio."""
_STATUS = len(b"HTTP/1.1 ")
"""Index of the status in a response."""


class Wire:
    """The state of a connection: its current exchange and its network stream."""

    def __init__(self, *, uses_tls: bool, uses_socks: bool = False) -> None:
        self.uses_socks = uses_socks
        """Whether the connection begins with a handshake with a SOCKS proxy."""
        self.uses_tls = uses_tls
        """Whether the request is sent only after a TLS handshake with the server."""
        self.exchange = Exchange()
        self.joins_head = False
        """Whether the next write is the head of a request, to be sent together with what is written after it."""
        self.stream: WireStream | None = None
        self.socket: Any = None
        """Its socket, once it is open."""

    @property
    def has_unread_bytes(self) -> bool:
        """Whether the server has sent bytes that belong to no response."""
        return self.stream is not None and self.stream.has_unread_bytes


class NoLock:
    """
    Replaces the locks of a connection of httpcore, which a slot passes to one request at a time.

    Acquiring an unused lock of anyio lets other tasks run first, three times per request.
    """

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


class WireStream:
    """
    A network stream of httpcore that detects early responses.

    Args:
        stream: What it wraps.
        wire: The connection.
        is_secure: Whether it is encrypted.
        connect_timeout: Applies to the handshake with a SOCKS proxy, for which httpcore has no timeout.
    """

    def __init__(
        self,
        stream: httpcore.AsyncNetworkStream,
        wire: Wire,
        *,
        is_secure: bool,
        connect_timeout: float | None = None,
    ) -> None:
        self._in_handshake = wire.uses_socks and not is_secure
        self._connect_timeout = connect_timeout
        self._stream = stream
        self._wire = wire
        self._is_secure = is_secure
        self._early: bytes | None = None
        """What was read while the request was being written."""
        self._head: bytes | None = None
        """The head of a request that is not sent yet."""
        self._receive, self._send = _without_timeouts(stream)
        wire.stream = self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._early is not None:
            early, self._early = self._early, None
            return early
        return await self._stream.read(max_bytes, self._connect_timeout if self._in_handshake else timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """
        Write *buffer*; a head waits for the next write, which httpcore makes even if there is no body.

        One write instead of two saves a system call, a packet, and waking the server twice.
        """
        self._in_handshake = self._in_handshake and buffer[:1] in _SOCKS_VERSIONS
        if self._in_handshake:
            await self._stream.write(buffer, self._connect_timeout)
            return
        if self._wire.joins_head:
            self._wire.joins_head = False
            self._head = buffer
            return
        if self._head is not None:
            head, self._head = self._head, None
            if len(buffer) < WATCH_FROM_BYTES:
                buffer = head + buffer
            else:
                await self._write(head, timeout)
        if buffer:
            await self._write(buffer, timeout)

    async def send(self, data: bytes) -> None:
        """Write a whole request of moderate size; the caller has a timeout."""
        self._wire.joins_head = False
        self._note_sending()
        try:
            await self._send(data)
        except Exception as error:
            if _is_loss(error):
                raise _core().WriteError(error) from error
            raise

    async def receive(self) -> bytes:
        """Read what has arrived; the caller has a timeout."""
        if self._early is not None:
            early, self._early = self._early, None
            return early
        try:
            return await self._receive(READ_BYTES)
        except anyio.EndOfStream:
            return b""
        except Exception as error:
            if _is_loss(error):
                raise _core().ReadError(error) from error
            raise

    async def _write(self, buffer: bytes, timeout: float | None) -> None:
        self._note_sending()
        if len(buffer) < WATCH_FROM_BYTES:
            await self._stream.write(buffer, timeout)
        else:
            await self._write_and_watch(buffer, timeout)

    def _note_sending(self) -> None:
        """Note before a write that, if it is cancelled, an unknown part may have left."""
        if self._is_secure or not self._wire.uses_tls:
            self._wire.exchange.sent = True

    async def _write_and_watch(self, buffer: bytes, timeout: float | None) -> None:
        """
        Write, and stop when the server answers or closes the connection.

        A server that refuses an upload may answer before it has read it, and then read no more. Without this, the
        answer would be lost: the write fails or blocks, and the connection is closed.

        Raises:
            httpcore.WriteError: The server answered; httpcore then reads the response.
        """
        errors: list[Exception] = []
        watched = anyio.Event()

        async def write() -> None:
            if self._stream.get_extra_info("is_readable"):  # perhaps the answer; a failed write would discard it
                with anyio.move_on_after(HEAD_START_SECONDS):
                    await watched.wait()
            try:
                await self._stream.write(buffer, timeout)
            except Exception as error:  # noqa: BLE001 (raised below, bare instead of in a group)
                errors.append(error)
                if not _is_timeout(error):
                    with anyio.move_on_after(CLOSE_SECONDS):  # the answer may have arrived and not been read yet
                        await watched.wait()
            group.cancel_scope.cancel()

        answered = False
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            try:
                await self._read_until_answer()
                answered = True
            except Exception as error:  # noqa: BLE001 (likewise)
                errors.append(error)
            watched.set()
            group.cancel_scope.cancel()
        if answered:
            raise _write_error("the server answered before it had read the request")
        if errors:
            raise errors[0]

    async def _read_until_answer(self) -> None:
        """Read ahead, past informational responses (1xx), to the start of the response or the end of the stream."""
        while True:
            data = await self._stream.read(READ_BYTES, None)
            self._early = (self._early or b"") + data
            if not data or not is_informational(self._early) or len(self._early) > READ_BYTES:
                return

    async def start_tls(self, *args: Any, **kwargs: Any) -> WireStream:
        try:
            secure = await self._stream.start_tls(*args, **kwargs)
        except BaseException:
            # httpcore closes the socket after an error, but not after a cancellation.
            with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                await self._stream.aclose()
            raise
        return WireStream(secure, self._wire, is_secure=True)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and self._wire.socket is not None:
            return _is_queued(self._stream) or is_readable(
                self._wire.socket
            )  # anyio would also ask for the addresses of the socket
        return self._stream.get_extra_info(info)

    @property
    def has_unread_bytes(self) -> bool:
        """Whether there are bytes in anyio's queue or in the TLS layer; httpcore itself looks at the socket."""
        if self._early is not None or _is_queued(self._stream):
            return True
        return self._is_secure and _is_decrypted(self._stream.get_extra_info("ssl_object"))


def is_informational(data: bytes) -> bool:
    r"""
    Return whether *data* is the start of informational responses only.

    Example:
        >>> is_informational(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 4")
        False
    """
    *heads, last = data.split(b"\r\n\r\n")
    return all(head[_STATUS:].startswith(b"1") for head in heads) and (
        len(last) <= _STATUS or last[_STATUS:].startswith(b"1")
    )


def _without_timeouts(stream: Any) -> tuple[Callable[[int], Awaitable[bytes]], Callable[[bytes], Awaitable[None]]]:
    """Return what a stream of httpcore reads and writes with, which is a stream of anyio or of trio."""
    inner: Any = getattr(stream, "_stream", None)
    if hasattr(inner, "receive"):
        return inner.receive, inner.send
    if hasattr(inner, "receive_some"):
        return inner.receive_some, inner.send_all
    return stream.read, stream.write


def _is_loss(error: Exception) -> bool:
    """Whether *error*, of anyio or of trio, says that the connection is lost or closed."""
    return type(error).__name__ in {"BrokenResourceError", "ClosedResourceError"}


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, _core().TimeoutException)


def _write_error(message: str) -> Exception:
    error: Exception = _core().WriteError(message)
    return error


def _core() -> Any:
    import httpcore  # noqa: PLC0415 (it imports trio, which is slow)

    return httpcore


def clock_of(loop: object) -> Callable[[], float]:
    """Return the clock of an event loop, without finding out each time whether it is asyncio's or trio's."""
    clock: Callable[[], float] = getattr(loop, "time", anyio.current_time)
    return clock


def is_readable(opened: Any) -> bool:
    """Return whether a socket has bytes to read, or is closed."""
    descriptor = opened.fileno()
    if descriptor < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _is_queued(stream: Any) -> bool:
    """Whether anyio's asyncio backend has read bytes from the socket that were not requested yet."""
    stream = getattr(stream, "_stream", None)
    while (inner := getattr(stream, "transport_stream", None)) is not None:
        stream = inner
    return bool(getattr(stream, "read_queue", None) or getattr(getattr(stream, "_protocol", None), "read_queue", None))


def _is_decrypted(ssl_object: ssl.SSLObject | None) -> bool:
    """Whether the TLS layer has application data; session tickets and the like are processed, and do not count."""
    if ssl_object is None:
        return False
    try:
        ssl_object.read(1)
    except ssl.SSLWantReadError:
        return False
    except (OSError, ValueError):
        return True
    return True


def _watch_always(stream: Any) -> None:
    """Replace the stream of anyio in a stream of httpcore, if it is one of asyncio, and as we know it."""
    inner: Any = getattr(stream, "_stream", None)
    transport: Any = getattr(inner, "_transport", None)
    protocol = transport.get_protocol() if hasattr(transport, "set_protocol") else None
    if all(hasattr(protocol, name) for name in _PARTS_OF_PROTOCOL):
        from segments_async._http.asyncio_stream import AsyncioStream  # noqa: PLC0415 (it imports asyncio)

        stream._stream = AsyncioStream(inner, transport)  # noqa: SLF001 (httpcore has no other way to change it)


class Backend:
    """Open the sockets of one `Wire`, and report each."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, wire: Wire, on_connect: Callable[[], None]) -> None:
        self._backend = backend
        self._wire = wire
        self._on_connect = on_connect

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> WireStream:
        stream = await self._backend.connect_tcp(*args, **kwargs)
        _watch_always(stream)
        self._on_connect()
        self._wire.socket = stream.get_extra_info("socket")
        make_patient(self._wire.socket)
        return WireStream(stream, self._wire, is_secure=False, connect_timeout=kwargs.get("timeout"))

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return await self._backend.connect_unix_socket(*args, **kwargs)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)
