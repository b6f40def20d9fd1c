"""
A server that does what a test says, byte by byte: on plain sockets, in threads, apart from any event loop.

::

    def script(peer, request):
        peer.send(answer({"asked": request.path}))

    with RawServer(script) as server:
        ...  # server.url, server.requests, server.connections
"""

from __future__ import annotations

import json
import math
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Self

from attrs import define, field

MAX_SECONDS = 10.0
"""Maximum seconds of a connection, so that no test hangs."""
_NO_LINGER = struct.pack("ii", 1, 0)
_CHUNK_BYTES = 256 * 1024

Script = Callable[["Peer", "Request"], object]


class ServerLeftError(OSError):
    """The server was stopped, or the connection's time was over, while a script was waiting."""


class HungUpError(OSError):
    """The client closed the connection where a script wanted more from it."""


@define(eq=False)
class Request:
    """A request, as far as it was read."""

    method: str
    target: str
    """As it was sent: a path with its query, a whole URL at a proxy, ``host:port`` after CONNECT."""
    headers: dict[str, str]
    """By their names in lower case."""
    number: int
    """How many requests the server had seen before, over all connections."""
    turn: int
    """How many requests this connection had seen before."""
    body: bytearray = field(factory=bytearray, repr=False)
    """What was read of it."""

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]

    @property
    def length(self) -> int:
        """How many bytes the body has."""
        return int(self.headers.get("content-length", 0))

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Peer:
    """One connection, from the server's side; every method ends the script by an OSError once the client is gone."""

    def __init__(self, plain: socket.socket, stopping: threading.Event, max_seconds: float) -> None:
        self.requests: list[Request] = []
        """The requests of this connection."""
        self.closed = False
        self.plain = plain
        """The socket, beneath TLS."""
        self._stream: socket.socket = plain
        self._stopping = stopping
        self._end = time.monotonic() + max_seconds
        self._received = b""

    def speak_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands."""
        plain, self.plain = self.plain, self.plain.dup()
        self._stream = context.wrap_socket(plain, server_side=True)

    def send(self, data: bytes) -> None:
        """Write *data*, all of it."""
        self._stream.sendall(data)

    def send_beneath(self, data: bytes) -> None:
        """Write *data* to the socket itself, beneath TLS."""
        self.plain.sendall(data)

    def send_all(self, pieces: Iterable[bytes]) -> None:
        """Write pieces that are made as they go, such as those of a body that would fill the memory."""
        for piece in pieces:
            self.send(piece)

    def drip(self, data: Iterable[int], every: float = 0.02) -> None:
        """Write a byte now and then; *data* may be endless, as `itertools.repeat` is."""
        for byte in data:
            self.send(bytes([byte]))
            self.pause(every)

    def repeat(self, data: bytes, every: float = 0.02) -> None:
        """Write *data* again and again, until the client hangs up."""
        while True:
            self.send(data)
            self.pause(every)

    def receive(self) -> bytes:
        """Read what is there; empty when the client has hung up."""
        if self._received:
            data, self._received = self._received, b""
            return data
        return self._stream.recv(_CHUNK_BYTES)

    def read_head(self) -> bytes:
        """Read up to the blank line."""
        while b"\r\n\r\n" not in self._received:
            data = self._stream.recv(_CHUNK_BYTES)
            if not data:
                raise HungUpError("within a head" if self._received else "between requests")
            self._received += data
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return head

    def read_body(self, request: Request, most: int | None = None) -> None:
        """Read what is missing of the body, or *most* bytes more at most."""
        until = request.length if most is None else min(request.length, len(request.body) + most)
        while len(request.body) < until:
            data = self.receive()
            if not data:
                raise HungUpError("within a body")
            left = until - len(request.body)
            request.body += data[:left]
            self._received = data[left:]

    def pause(self, seconds: float) -> None:
        """Wait for so long."""
        left = self._end - time.monotonic()
        if self._stopping.wait(max(0.0, min(seconds, left))) or seconds > left:
            raise ServerLeftError

    def wait_for(self, event: threading.Event) -> None:
        """Wait until the test sets *event*."""
        while not event.is_set():
            self.pause(0.01)

    def stall(self) -> None:
        """Do nothing, and read nothing, until the server is left."""
        self.pause(math.inf)

    def half_close(self) -> None:
        """Close the sending side; under TLS, without a close notification."""
        self.plain.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; if data was not read, the client receives a reset. Under TLS, without a close notification."""
        self.closed = True
        self._stream.close()
        self.plain.close()

    def reset(self) -> None:
        """Reset the connection: data in flight is lost."""
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.close()

    def hang_up(self) -> None:
        """End the waits of the script's thread, from another one."""
        with suppress(OSError):
            self.plain.shutdown(socket.SHUT_RDWR)


class RawServer:
    """
    Run *script* for each request, in the connection's own thread; what it leaves open takes the next request.

    Args:
        script: Called with the connection and the request.
        context: Speak TLS.
        early: Call the script before the body is read; `Peer.read_body` reads it, and what it leaves is read after.
        on_connect: Called with each connection before anything is read.
        max_seconds: How long a connection lives at most.
        receive_bytes: Size of the sockets' receive buffers, so that a large body cannot hide in them.
    """

    def __init__(
        self,
        script: Script,
        *,
        context: ssl.SSLContext | None = None,
        early: bool = False,
        on_connect: Callable[[Peer], object] | None = None,
        receive_bytes: int | None = None,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        self.requests: list[Request] = []
        """The requests of all connections, in order."""
        self.connections: list[Peer] = []
        self._script = script
        self._context = context
        self._early = early
        self._on_connect = on_connect
        self._most_seconds = max_seconds
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._problem: Exception | None = None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        if receive_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.port: int = self._listener.getsockname()[1]
        self.scheme = "http" if context is None else "https"

    @property
    def url(self) -> str:
        """Its URL."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and target of what came."""
        return [(request.method, request.target) for request in self.requests]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, exc_type: object, *rest: object) -> None:
        self._stopping.set()
        socket.create_connection(("127.0.0.1", self.port)).close()  # which ends the accepting
        self._threads[0].join()
        self._listener.close()
        for peer in self.connections:
            peer.hang_up()
        for thread in self._threads:
            thread.join()
        if self._problem is not None and exc_type is None:
            raise self._problem

    def _start(self, target: Callable[..., object], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            plain, _ = self._listener.accept()
            if self._stopping.is_set():
                plain.close()
                return
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(plain, self._stopping, self._most_seconds)
            self.connections.append(peer)
            self._start(self._serve, peer)

    def _serve(self, peer: Peer) -> None:
        try:
            if self._context is not None:
                peer.speak_tls(self._context)
            if self._on_connect is not None:
                self._on_connect(peer)
            while not peer.closed:
                self._serve_one(peer)
        except OSError:
            pass  # one of both hung up
        except Exception as error:  # noqa: BLE001 (a mistake in a script, which the test reports)
            self._problem = error
        finally:
            peer.close()

    def _serve_one(self, peer: Peer) -> None:
        request = self._note(peer, peer.read_head())
        if not self._early:
            peer.read_body(request)
        self._script(peer, request)
        if not peer.closed:
            peer.read_body(request)

    def _note(self, peer: Peer, head: bytes) -> Request:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        with self._lock:
            request = Request(method, target, headers, number=len(self.requests), turn=len(peer.requests))
            self.requests.append(request)
        peer.requests.append(request)
        return request


def head(status: int | str = 200, headers: Mapping[str, object] | None = None) -> bytes:
    """Make a status line and headers; a *status* in words is written as it is."""
    if isinstance(status, int):
        status = f"{status} {HTTPStatus(status).phrase}"
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer(
    content: Any = b"", status: int | str = 200, headers: Mapping[str, object] | None = None, *, length: Any = True
) -> bytes:
    """
    Make an answer.

    Args:
        content: Bytes as they are, or what becomes JSON.
        status: Its number, or all that follows the version.
        headers: More of them.
        length: The ``Content-Length``: True for the real length, None to leave it out, or anything else.
    """
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    fields: dict[str, object] = {"Content-Type": "application/json"}
    if length is not None:
        fields["Content-Length"] = len(body) if length is True else length
    return head(status, fields | dict(headers or {})) + body


def chunked(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Give pieces the form that ``Transfer-Encoding: chunked`` has, with its end."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
