"""The state shared by a client and the clients derived from it: connections, event loop, gates and counters."""

from __future__ import annotations

import math
import os
import sys
from collections import OrderedDict
from contextlib import AsyncExitStack
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

import anyio
import attrs
import httpx
from anyio.lowlevel import current_token
from attrs import frozen

from segments_async._http.base_url import BaseUrl
from segments_async._http.bodies import Body, BodyTooLargeError
from segments_async._http.clients import direct_transport, mask_secrets, pooled_client
from segments_async._http.direct import Answer, OutOfTimeError
from segments_async._http.exchange import EXCHANGE, close_if_not_drained, send_over
from segments_async._http.gate import Gate
from segments_async._http.network import clock_of
from segments_async._http.reports import Reports
from segments_async._http.request_body import SimpleRequest
from segments_async._wire.causes import forget_frames
from segments_async._wire.changes import Changes
from segments_async._wire.failures import request_error
from segments_async._wire.page_lengths import LongestPages
from segments_async._wire.replies import Reply, origin_of, redact_url
from segments_async.errors import ClientStateError, DecodeError, RequestTimeoutError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._http.reports import Counters, SentCall
    from segments_async.errors import TransportError
    from segments_async.hooks import Hooks
    from segments_async.limits import SharedLimiter
    from segments_async.settings import Clock

MB = 1_000_000
MAX_STORAGE_GATES = 256
"""Maximum number of storage hosts whose gates are kept."""


@frozen(kw_only=True)
class Stats:
    """
    Activity of a client and all clients derived from it: totals so far, and the current state of its key.

    Example::

        print(client.stats().requests, client.stats().limit)
    """

    requests: int
    """Requests sent to the API and to storage, including retries."""
    retries: int
    """Requests that repeated an earlier one."""
    throttled: int
    """Requests that the service throttled."""
    bytes_sent: int
    """Bytes of request bodies on the wire."""
    bytes_received: int
    """Bytes of response bodies on the wire."""
    connections_opened: int | None
    """Connections opened so far; None with a custom transport, with aiohttp and with an ``http_client``."""
    in_flight: int
    """Calls of this client's key in flight."""
    waiting: int
    """Calls of this client's key waiting for a slot."""
    limit: int
    """Maximum calls of this client's key in flight now: `max_connections`, or less after throttling."""
    rate: float | None
    """Calls per second of this client's key allowed now; None if no rate limit was detected."""


class Pool:
    """
    Connections to one API and to storage hosts. Requests to storage use a second client and never carry a key.

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
        max_answer_bytes: int,
        limiter: SharedLimiter | None = None,
    ) -> None:
        self.base_url = base_url
        self.base: BaseUrl = BaseUrl(base_url)
        self._limiter = limiter
        self.max_answer_bytes = max_answer_bytes
        self.max_connections = max_connections
        self.clock = clock
        self.reports: Reports = Reports(clock, hooks)
        self.counts: Counters = self.reports.counts
        self.changes: Changes = Changes()
        self.longest_pages: LongestPages = LongestPages()
        self._storage_gates: OrderedDict[tuple[str, str, int | None], Gate] = OrderedDict()
        self._transport = transport
        self._http_client = http_client
        self._connections_opened = 0 if transport is None and http_client is None else None
        self._gates: WeakValueDictionary[bytes, Gate] = WeakValueDictionary()
        self._loop: object = None
        self._now: Callable[[], float] = anyio.current_time
        self._running_loop: Callable[[], object] = _no_loop
        self._process = os.getpid()
        self._inherited: list[httpx.AsyncClient] = []
        self._closed = False
        self._open_clients()

    def _open_clients(self) -> None:
        """Create the httpx clients; they connect on their first request."""
        self._owned: list[httpx.AsyncClient] = []
        if self._http_client is None:
            self.api: httpx.AsyncClient = pooled_client(self._transport, self.max_connections, self._count_connection)
            self._owned.append(self.api)
        else:
            mask_secrets()
            self.api = self._http_client
        if self._http_client is None and not isinstance(self._transport, httpx.AsyncBaseTransport):
            self.storage: httpx.AsyncClient = pooled_client(
                self._transport, self.max_connections, self._count_connection
            )
            self._owned.append(self.storage)
        else:
            # Sharing one client is safe: storage requests are built from scratch and carry no headers of the API.
            self.storage = self.api

    def gate_for(self, api_key: str) -> Gate:
        """Return the gate shared by all calls with this key; it exists as long as a client with the key does."""
        digest = blake2b(api_key.encode(), digest_size=16).digest()
        gate = self._gates.get(digest)
        if gate is None:
            shared = None if self._limiter is None else (self._limiter, _name_of(self.base_url, api_key))
            gate = self._gates[digest] = Gate(self.max_connections, self.clock, shared)
        return gate

    def storage_gate_for(self, url: str) -> Gate:
        """
        Return the gate of the host of *url*, so that a host in maintenance does not delay the others.

        Gates that have not been used for long are removed.
        """
        origin = origin_of(url)
        gate = self._storage_gates.pop(origin, None) or Gate(self.max_connections, self.clock)
        self._storage_gates[origin] = gate
        if len(self._storage_gates) > MAX_STORAGE_GATES:
            idle = next((other for other, one in self._storage_gates.items() if one.is_idle), None)
            if idle is not None and idle != origin:
                del self._storage_gates[idle]
        return gate

    def _count_connection(self) -> None:
        if self._connections_opened is not None:
            self._connections_opened += 1

    async def exchange(
        self, client: httpx.AsyncClient, request: SimpleRequest | httpx.Request, *, seconds: float = math.inf
    ) -> Reply:
        """
        Send *request* once, and read the response.

        Args:
            client: The API's or the storage's.
            request: Sent unchanged.
            seconds: Maximum seconds until the response is complete, whatever the server does.

        Raises:
            DecodeError: The body is larger than `max_answer_mb` allows.
            TransportError: No complete response was received; `sent` says whether the request was sent.
        """
        call = self._start(client, request)
        body = Body(self.max_answer_bytes)
        ends_at = self._now() + seconds
        try:
            answer = None
            direct = direct_transport(client)
            if isinstance(request, SimpleRequest) and direct is not None:
                answer = await direct.exchange(request, call.exchange, body, ends_at)
            if answer is None:
                answer = await self._exchange_over_httpx(client, request, call, body, ends_at)
            content = body.content()
        except SegmentsError:
            raise
        except BodyTooLargeError:
            problem = f"the answer is larger than max_answer_mb={self.max_answer_bytes / MB:g} allows"
            raise DecodeError(problem, method=call.method, url=call.url) from None
        except OutOfTimeError as error:
            forget_frames(error)
            raise self._too_slow(call, seconds) from None
        except Exception as error:  # noqa: BLE001 (raised as an error of this package)
            failure = self._failure(error, call)
            raise failure from failure.__cause__
        except BaseException as error:
            forget_frames(error)  # as in `_failure`
            raise
        self.counts.bytes_received += body.received
        self.reports.notify_response(call, answer.status, answer.headers)
        return Reply(answer.status, call.method, call.url, answer.headers, content)

    async def _exchange_over_httpx(
        self,
        client: httpx.AsyncClient,
        request: SimpleRequest | httpx.Request,
        call: SentCall,
        body: Body,
        ends_at: float,
    ) -> Answer:
        if isinstance(request, SimpleRequest):
            request = request.for_httpx()
        self._watch(client, request, call)
        response = None
        with anyio.CancelScope(deadline=ends_at) as scope:
            response = await send_over(client, request, call.exchange, stream=True)
            try:
                await body.read(response, scope)
                if client is self._http_client:
                    await close_if_not_drained(response)
            finally:
                await response.aclose()
        if response is None or (scope.cancelled_caught and body.problem is None):
            raise OutOfTimeError
        body.received = body.received or response.num_bytes_downloaded
        return Answer(response.status_code, response.headers)

    def _too_slow(self, call: SentCall, seconds: float) -> RequestTimeoutError:
        problem = f"the call did not finish within {seconds:.3g} s"
        error = RequestTimeoutError(problem, method=call.method, url=call.url, sent=call.was_sent is not False)
        self.reports.log_failure(error, call)
        return error

    async def send(self, client: httpx.AsyncClient, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Send *request* once, unchanged; a failure raises an error that names it."""
        call = self._start(client, request)
        self._watch(client, request, call)
        try:
            response = await send_over(client, request, call.exchange, stream=stream)
        except SegmentsError:
            raise
        except Exception as error:  # noqa: BLE001 (raised as an error of this package)
            failure = self._failure(error, call)
            raise failure from failure.__cause__
        except BaseException as error:
            forget_frames(error)
            raise
        self.counts.bytes_received += response.num_bytes_downloaded
        self.reports.notify_response(call, response.status_code, response.headers)
        return response

    def _start(self, client: httpx.AsyncClient, request: SimpleRequest | httpx.Request) -> SentCall:
        """Check that *client* is open, and count the request."""
        if client.is_closed:
            self.check_usable()
            raise ClientStateError("the http_client passed to this AsyncSegments is closed")
        if isinstance(request, SimpleRequest):
            return self.reports.notify_request(request.method, redact_url(request.address.text), len(request.body))
        size = int(request.headers.get("Content-Length", 0))
        return self.reports.notify_request(request.method, redact_url(str(request.url)), size)

    def _watch(self, client: httpx.AsyncClient, request: httpx.Request, call: SentCall) -> None:
        """Let *call* know whether *request* is sent."""
        request.extensions[EXCHANGE] = call.exchange
        if client is self._http_client:
            request.extensions["trace"] = call.exchange.observe

    def _failure(self, error: Exception, call: SentCall) -> TransportError:
        """
        Map an exception of the transport.

        Its stack frames are dropped: their local variables contain the headers with the key, and some tools print them.
        """
        forget_frames(error)
        failure = request_error(error, call.method, call.url, sent=call.was_sent, redact=self.reports.mask)
        self.reports.log_failure(failure, call)
        return failure

    def stats(self, gate: Gate) -> Stats:
        """Return the totals, and the current state of *gate*."""
        return Stats(
            **attrs.asdict(self.counts),
            connections_opened=self._connections_opened,
            in_flight=gate.limiter.in_flight,
            waiting=gate.limiter.waiting,
            limit=int(gate.limiter.limit),
            rate=gate.rate,
        )

    def check_usable(self) -> None:
        """
        Check that calls are possible here.

        Raises:
            ClientStateError: The client is closed, or was used in another event loop.
        """
        self.check_open()
        if self._process != os.getpid():
            self._reset_after_fork()
        if self._loop is not None and self._loop is self._running_loop():
            return  # the common case; finding out whether asyncio or trio runs takes longer
        token = current_token().native_token
        if self._loop is not token:
            if self._loop is not None:
                raise ClientStateError(
                    "this AsyncSegments belongs to another event loop; create one in each loop that needs one"
                )
            self._loop = token
            self._now = clock_of(token)
            self._running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", _no_loop)

    def _reset_after_fork(self) -> None:
        """
        Create new connections and gates in a forked process.

        The parent still uses the inherited sockets. They are neither used nor closed here: closing a TLS connection
        would send the server a close notification on behalf of the parent.
        """
        if self._http_client is not None or isinstance(self._transport, httpx.AsyncBaseTransport):
            if self._loop is not None:
                raise ClientStateError(
                    "this AsyncSegments was used before a fork; create http_client or transport after the fork"
                )
        else:
            self._inherited += self._owned
            self._open_clients()
        self._process = os.getpid()
        self._loop = None
        self._now = anyio.current_time
        self.changes = Changes()
        for gate in [*self._storage_gates.values(), *self._gates.values()]:
            gate.reset()

    def check_open(self) -> None:
        """
        Check that the client is open.

        Raises:
            ClientStateError: It is closed.
        """
        if self._closed:
            raise ClientStateError("this AsyncSegments is closed; create a new one")

    async def aclose(self) -> None:
        """Close the connections that this pool created. Closing twice does nothing."""
        if self._closed:
            return
        if self._loop is not None:
            self.check_usable()
        self._closed = True
        with anyio.CancelScope(shield=True):  # closing a connection takes `CLOSE_SECONDS` at most
            async with AsyncExitStack() as stack:  # closes the second client even if closing the first one fails
                for client in self._owned:
                    stack.push_async_callback(client.aclose)


def _no_loop() -> None:
    """Say that no loop of asyncio is known to run."""


def _name_of(base_url: str, api_key: str) -> str:
    """Return the name of a service and a key in a shared limiter; other processes find the same, and not the key."""
    return blake2b(f"{base_url}\n{api_key}".encode(), digest_size=16).hexdigest()
