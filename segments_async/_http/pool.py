"""What all clients that were derived from one another share: connections, their event loop, gates and counts."""

from __future__ import annotations

import logging
import os
from contextlib import AsyncExitStack
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

import anyio
import attrs
import httpx
from anyio.lowlevel import current_token
from attrs import define, frozen

from segments_async._http.clients import mask_signatures, pooled_client
from segments_async._http.gate import Gate
from segments_async._wire.failures import is_transport_failure, transport_error
from segments_async._wire.replies import redact_url, request_id_in
from segments_async.errors import ClientStateError
from segments_async.hooks import CallEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from segments_async.errors import SegmentsError
    from segments_async.hooks import Hooks
    from segments_async.settings import Clock

logger = logging.getLogger("segments_async")


@frozen(kw_only=True)
class Stats:
    """
    What a client, with all clients that were derived from it, has done so far, and what it does now.

    Example:
        ::

            print(client.stats().requests, client.stats().limit)
    """

    requests: int
    """Requests that were sent, to the API and to storage, repeated ones included."""
    retries: int
    """Requests that repeated an earlier one."""
    throttled: int
    """Requests that were refused as too many."""
    bytes_sent: int
    """Bytes of request bodies, as they went over the wire."""
    bytes_received: int
    """Bytes of answers, as they came over the wire."""
    connections_opened: int | None
    """Connections that were ever made; None if a transport of another make is in use, which does not tell."""
    in_flight: int
    """Calls of this client's key that are on their way."""
    waiting: int
    """Calls of this client's key that wait at the gate."""
    limit: int
    """Calls of this client's key that may be in flight at once now: `max_connections`, less after throttling."""
    rate: float | None
    """Calls a second that may go now, where the service was seen to allow no more; None where it was not."""


@define
class Counters:
    """Figures that only grow; see `Stats`."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Pool:
    """
    Connections to one API and to storage hosts, which are reached over a second client that never learns a key.

    The arguments are those of `AsyncSegments`.
    """

    def __init__(
        self,
        *,
        base_url: str,
        max_connections: int,
        transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None,
        http_client: httpx.AsyncClient | None,
        clock: Clock,
        hooks: Hooks,
    ) -> None:
        self.base_url = base_url
        self.max_connections = max_connections
        self.clock = clock
        self.hooks = hooks
        self.counts: Counters = Counters()
        self.storage_gate: Gate = Gate(max_connections, clock)
        self._transport = transport
        self._http_client = http_client
        self._connections_opened = 0 if transport is None and http_client is None else None
        self._gates: WeakValueDictionary[bytes, Gate] = WeakValueDictionary()
        self._loop: object = None
        self._process = os.getpid()
        self._inherited: list[httpx.AsyncClient] = []
        self._closed = False
        self._open_clients()

    def _open_clients(self) -> None:
        """Make the httpx clients, which connect at their first request."""
        self._owned: list[httpx.AsyncClient] = []
        if self._http_client is None:
            self.api: httpx.AsyncClient = pooled_client(self._transport, self.max_connections, self._count_connection)
            self._owned.append(self.api)
        else:
            mask_signatures()
            self.api = self._http_client
        if self._http_client is None and not isinstance(self._transport, httpx.AsyncBaseTransport):
            self.storage: httpx.AsyncClient = pooled_client(
                self._transport, self.max_connections, self._count_connection
            )
            self._owned.append(self.storage)
        else:
            # Requests are built from scratch, so nothing of the API's reaches the storage over the one client there is.
            self.storage = self.api

    def gate_for(self, api_key: str) -> Gate:
        """The gate of all calls with this key; it lives as long as a client with the key does."""
        name = blake2b(api_key.encode(), digest_size=16).digest()
        gate = self._gates.get(name)
        if gate is None:
            gate = self._gates[name] = Gate(self.max_connections, self.clock)
        return gate

    def _count_connection(self) -> None:
        if self._connections_opened is not None:
            self._connections_opened += 1

    async def send(self, client: httpx.AsyncClient, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Send *request* once, as it is; failures become errors that name it."""
        if client.is_closed:
            self.check_usable()
            raise ClientStateError("the http_client that this AsyncSegments was given is closed")
        url = redact_url(str(request.url))
        self.counts.requests += 1
        self.counts.bytes_sent += int(request.headers.get("Content-Length", 0))
        if self.hooks.on_request is not None:
            self.hooks.on_request(CallEvent(method=request.method, url=url))
        started = self.clock.monotonic()
        try:
            response = await client.send(request, stream=stream, auth=None, follow_redirects=False)
        except Exception as error:
            if not is_transport_failure(error):
                raise
            raise transport_error(error, request.method, url) from error
        self.counts.bytes_received += response.num_bytes_downloaded
        self._tell_answer(response, request.method, url, self.clock.monotonic() - started)
        return response

    def _tell_answer(self, response: httpx.Response, method: str, url: str, seconds: float) -> None:
        logger.debug("%s %s: %d in %.3f s", method, url, response.status_code, seconds)
        if self.hooks.on_response is not None:
            self.hooks.on_response(
                CallEvent(
                    method=method,
                    url=url,
                    status=response.status_code,
                    request_id=request_id_in(response.headers),
                    seconds=seconds,
                )
            )

    def notify_throttle(self, error: SegmentsError) -> None:
        """Note that the service refused a request as one too many."""
        self.counts.throttled += 1
        if self.hooks.on_throttle is not None:
            self.hooks.on_throttle(_event_of(error, seconds=getattr(error, "retry_after", None)))

    def notify_retry(self, error: SegmentsError, *, attempt: int, seconds: float) -> None:
        """Tell that a request is sent again, after so many attempts and in so many seconds."""
        logger.info("%s; sent again in %.3g s, after %d attempts", error, seconds, attempt)
        if self.hooks.on_retry is not None:
            self.hooks.on_retry(_event_of(error, attempt=attempt, seconds=seconds))

    def stats(self, gate: Gate) -> Stats:
        """Sum up; *gate* says what is under way."""
        return Stats(
            **attrs.asdict(self.counts),
            connections_opened=self._connections_opened,
            in_flight=gate.limiter.in_flight,
            waiting=gate.limiter.waiting,
            limit=int(gate.limiter.limit),
            rate=gate.rate,
        )

    def check_usable(self) -> None:
        """Refuse a call after `aclose`, or from another event loop than the first one."""
        self.check_open()
        if self._process != os.getpid():
            self._leave_parent()
        token = current_token().native_token
        if self._loop is not token:
            if self._loop is not None:
                raise ClientStateError(
                    "this AsyncSegments belongs to another event loop; create one in each loop that needs one"
                )
            self._loop = token

    def _leave_parent(self) -> None:
        """
        Start anew in a forked process.

        The parent goes on using the sockets that were inherited. They are neither used nor closed here: closing
        one that speaks TLS would tell the server that the parent hangs up.
        """
        if self._http_client is not None or isinstance(self._transport, httpx.AsyncBaseTransport):
            if self._loop is not None:
                raise ClientStateError(
                    "this AsyncSegments was used before the process forked; create http_client or transport after that"
                )
        else:
            self._inherited += self._owned
            self._open_clients()
        self._process = os.getpid()
        self._loop = None
        for gate in [self.storage_gate, *self._gates.values()]:
            gate.reset()

    def check_open(self) -> None:
        """Refuse what comes after `aclose`."""
        if self._closed:
            raise ClientStateError("this AsyncSegments is closed; create a new one")

    async def aclose(self) -> None:
        """Close the connections that are ours. Closing twice does nothing."""
        if self._closed:
            return
        if self._loop is not None:
            self.check_usable()
        self._closed = True
        with anyio.CancelScope(shield=True):  # bounded: each connection has `CLOSE_SECONDS`
            async with AsyncExitStack() as stack:  # one that is interrupted does not keep the other open
                for client in self._owned:
                    stack.push_async_callback(client.aclose)


class BytesStream(httpx.AsyncByteStream):
    """A body in one piece. httpx has one that is an async generator; trio complains when its sending is cancelled."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._content)


class _Once:
    def __init__(self, content: bytes) -> None:
        self._left: bytes | None = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content, self._left = self._left, None
        if content is None:
            raise StopAsyncIteration
        return content


def _event_of(error: SegmentsError, *, attempt: int | None = None, seconds: float | None) -> CallEvent:
    return CallEvent(
        method=getattr(error, "method", None) or "",
        url=getattr(error, "url", None) or "",
        status=getattr(error, "status", None),
        request_id=getattr(error, "request_id", None),
        attempt=attempt,
        seconds=seconds,
        error=error,
    )
