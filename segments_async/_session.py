"""How a call travels: build the request, send it, send it again if it may be, map errors, structure the answer."""

from __future__ import annotations

import zlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar, overload

import anyio
import httpx
from anyio.lowlevel import current_token
from attrs import define

from segments_async._converter import structure
from segments_async._json import decode_json, encode_json
from segments_async._transport import mask_signatures, pooled_client
from segments_async._version import __version__
from segments_async._wire.endpoint import Endpoint, Repeat
from segments_async._wire.failures import is_transport_failure, transport_error
from segments_async._wire.replies import Reply, error_for, shown_url
from segments_async._wire.retry import is_ambiguous, is_throttled, wait_before_repeat
from segments_async.errors import (
    ClientStateError,
    DecodeError,
    InputError,
    NotFoundError,
    OutcomeUnknownError,
    SegmentsError,
    TransportError,
)
from segments_async.settings import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from typing import Literal

    from segments_async.settings import Clock, RetryPolicy

T = TypeVar("T")

USER_AGENT = f"segments-async/{__version__}"
GZIP_FROM_BYTES = 1400
"""A smaller body fits one packet as it is."""
GZIP_LEVEL = 1
THREAD_FROM_BYTES = 512 * 1024
"""Compressing more than this takes long enough to be felt on the event loop."""
MIN_SCRUBBED_KEY = 8
"""A shorter key is a word of a test; blotting it out would only make errors unreadable."""


@define
class Trace:
    """What became of one call, for those who report on it: filled in while the call travels."""

    bulk: bool = False
    """Whether the call belongs to a bulk run, and so has `bulk_attempts`."""
    calls: int = 0
    attempts: int = 0
    """Requests that were sent; beyond `calls`, they are repeats."""
    throttles: int = 0
    request_id: str | None = None
    date: str | None = None
    """The last answer's ``Date``."""

    def answered(self, reply: Reply) -> None:
        """Note what names the answer."""
        self.request_id = reply.request_id
        self.date = reply.headers.get("date", self.date)


class Session:
    """
    Send calls to one base URL with one key, over one pooled client; see `AsyncSegments` for the arguments.

    Storage hosts (S3) are reached over a second client, which never learns the key.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        timeout: httpx.Timeout,
        max_connections: int,
        retry: RetryPolicy,
        transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None,
        http_client: httpx.AsyncClient | None,
        clock: Clock,
    ) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self.max_connections = max_connections
        self.retry = retry
        self.clock = clock
        self._key = _Key(api_key)
        # httpx prints the first of these headers as [secure].
        headers = {
            "Authorization": f"APIKey {api_key}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": USER_AGENT,
        }
        self._bare_headers = httpx.Headers(headers)
        self._json_headers = httpx.Headers(headers | {"Content-Type": "application/json"})
        self._gzip_headers = httpx.Headers(headers | {"Content-Type": "application/json", "Content-Encoding": "gzip"})
        self._owned: list[httpx.AsyncClient] = []
        if http_client is None:
            self._client = pooled_client(transport, max_connections)
            self._owned.append(self._client)
        else:
            mask_signatures()
            self._client = http_client
        if http_client is None and not isinstance(transport, httpx.AsyncBaseTransport):
            self.storage_client = pooled_client(transport, max_connections)
            self._owned.append(self.storage_client)
        else:
            # Requests are built from scratch, so nothing of the API's reaches the storage over the one client there is.
            self.storage_client = self._client
        self._loop: object = None
        self._closed = False

    async def aclose(self) -> None:
        """Close the connections that are ours. Closing twice does nothing."""
        if self._closed:
            return
        if self._loop is not None:
            self._check_usable()
        self._closed = True
        with anyio.CancelScope(shield=True):  # bounded: each connection has `CLOSE_SECONDS`
            async with AsyncExitStack() as stack:  # one that is interrupted does not keep the other open
                for client in self._owned:
                    stack.push_async_callback(client.aclose)

    @overload
    async def call(
        self,
        endpoint: Endpoint,
        model: type[T],
        *,
        path: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        trace: Trace | None = None,
    ) -> T: ...

    @overload
    async def call(
        self,
        endpoint: Endpoint,
        model: None = None,
        *,
        path: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        trace: Trace | None = None,
    ) -> None: ...

    async def call(
        self,
        endpoint: Endpoint,
        model: Any = None,
        *,
        path: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        trace: Trace | None = None,
    ) -> Any:
        """
        Make one call and structure its answer.

        Args:
            endpoint: The route.
            model: The type of the answer; None expects nothing and reads nothing.
            path: What the route's path is filled with.
            params: The query; each value is escaped, None is left out.
            json: The body, unless *content* is given.
            content: The body, encoded as JSON already.
            trace: Filled in on the way.
        """
        reply = await self._exchange(endpoint, path, params, json, content, trace or Trace())
        return None if model is None or reply is None else self._read(reply, model)

    async def call_any(self, endpoint: Endpoint, *, params: Mapping[str, Any] | None, json: Any) -> Any:
        """Make one call to an endpoint nobody declared; returns plain JSON, or None for an empty answer."""
        reply = await self._exchange(endpoint, None, params, json, None, Trace())
        return None if reply is None or not reply.content else self._read(reply, Any)

    async def _exchange(
        self,
        endpoint: Endpoint,
        path: Mapping[str, Any] | None,
        params: Mapping[str, Any] | None,
        json: Any,
        content: bytes | None,
        trace: Trace,
    ) -> Reply | None:
        """Send until there is a good answer; None stands for a DELETE that an earlier attempt had carried out."""
        url = self._url(endpoint.fill(**(path or {})), params)
        if content is None and json is not None:
            content = encode_json(json)
        headers, content = await self._prepare(endpoint, content)
        timeout = self._timeout_for(endpoint)

        async def attempt() -> Reply:
            request = httpx.Request(endpoint.method, url, headers=headers, content=content, extensions=timeout)
            if content is not None:
                request.stream = _Body(content)
            response = await self.send(self._client, request)
            reply = _reply_of(response)
            trace.answered(reply)
            if not response.is_success:
                raise error_for(self._key.scrubbed(reply), now=self.clock.time())
            return reply

        earlier: list[SegmentsError] = []
        try:
            return await self.repeat(attempt, trace, may_repeat=endpoint.repeat is Repeat.SAFE, earlier=earlier)
        except NotFoundError:
            if endpoint.method == "DELETE" and any(map(is_ambiguous, earlier)):
                return None
            raise

    async def repeat(
        self,
        attempt: Callable[[], Awaitable[T]],
        trace: Trace,
        *,
        may_repeat: bool,
        earlier: list[SegmentsError] | None = None,
    ) -> T:
        """
        Make *attempt* until it succeeds or the retry policy gives up.

        Args:
            attempt: Sends the request once.
            trace: Filled in on the way.
            may_repeat: Whether to go on after an ambiguous failure.
            earlier: Collects the errors of attempts that were followed by another.

        Raises:
            OutcomeUnknownError: The answer was lost, and *may_repeat* is False.
        """
        started: float | None = None
        failures = throttles = 0
        max_attempts = self.retry.bulk_attempts if trace.bulk else self.retry.attempts
        trace.calls += 1
        while True:
            trace.attempts += 1
            if started is None:
                started = self.clock.monotonic()
            try:
                return await attempt()
            except SegmentsError as error:
                if is_throttled(error):
                    throttles += 1
                    trace.throttles += 1
                else:
                    failures += 1
                wait = wait_before_repeat(
                    error,
                    self.retry,
                    max_attempts=max_attempts,
                    failures=failures,
                    throttles=throttles,
                    may_repeat=may_repeat,
                    elapsed=self.clock.monotonic() - started,
                    jitter=self.clock.random(),
                )
                if wait is None:
                    if isinstance(error, TransportError) and error.sent and not may_repeat:
                        raise _unknown(error) from error
                    if failures + throttles > 1:
                        error.add_note(f"sent {failures + throttles} times")
                    raise
                if earlier is not None:
                    earlier.append(error)
            await self.clock.sleep(wait)

    async def send(self, client: httpx.AsyncClient, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Send *request* once, as it is; failures become errors that name it."""
        self._check_usable()
        if client.is_closed:
            raise ClientStateError("the http_client that this AsyncSegments was given is closed")
        try:
            return await client.send(request, stream=stream, auth=None, follow_redirects=False)
        except Exception as error:
            if not is_transport_failure(error):
                raise
            raise lost(error, request) from error

    def _url(self, target: str, params: Mapping[str, Any] | None) -> httpx.URL:
        query = httpx.QueryParams({name: value for name, value in (params or {}).items() if value is not None})
        if query:
            target = f"{target}{'&' if '?' in target else '?'}{query}"
        try:
            return httpx.URL(f"{self.base_url}{target}")
        except httpx.InvalidURL as error:
            raise InputError(f"makes no URL: {error}", path="path") from error

    def _timeout_for(self, endpoint: Endpoint) -> dict[str, Any]:
        timeout = self.timeout.as_dict()
        if endpoint.read_timeout is not None and self.timeout is DEFAULT_TIMEOUT:
            timeout["read"] = endpoint.read_timeout
        return {"timeout": timeout}

    async def _prepare(self, endpoint: Endpoint, content: bytes | None) -> tuple[httpx.Headers, bytes | None]:
        """Choose the headers for a body, and compress it where the route takes that and it pays."""
        if content is None:
            return self._bare_headers, None
        if not endpoint.gzip or len(content) < GZIP_FROM_BYTES:
            return self._json_headers, content
        if len(content) < THREAD_FROM_BYTES:
            return self._gzip_headers, _gzip(content)
        return self._gzip_headers, await anyio.to_thread.run_sync(_gzip, content)

    def _read(self, reply: Reply, model: Any) -> Any:
        payload: Any = None
        try:
            payload = decode_json(reply.content)
            return structure(payload, model)
        except DecodeError as error:
            if (safe := self._key.scrubbed(reply)) is not reply:
                return self._read(safe, model)
            problem, path = error.problem, error.path
            payload = error.payload if payload is None else payload
        raise DecodeError(
            problem,
            path=path,
            payload=payload,
            status=reply.status,
            method=reply.method,
            url=reply.url,
            request_id=reply.request_id,
        )

    def check_open(self) -> None:
        """Refuse what comes after `aclose`."""
        if self._closed:
            raise ClientStateError("this AsyncSegments is closed; create a new one")

    def _check_usable(self) -> None:
        self.check_open()
        token = current_token().native_token
        if self._loop is not token:
            if self._loop is not None:
                raise ClientStateError(
                    "this AsyncSegments belongs to another event loop; create one in each loop that needs one"
                )
            self._loop = token


class _Body(httpx.AsyncByteStream):
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


class _Key:
    """The API key, kept out of reprs and out of what the service echoes."""

    def __init__(self, key: str) -> None:
        self._text = key if len(key) >= MIN_SCRUBBED_KEY else None

    def scrubbed(self, reply: Reply) -> Reply:
        """The same answer with the key blotted out; itself if it does not hold the key."""
        if self._text is None:
            return reply
        key = self._text.encode()
        if key not in reply.content and not any(self._text in value for value in reply.headers.values()):
            return reply
        headers = httpx.Headers({name: value.replace(self._text, "***") for name, value in reply.headers.items()})
        return Reply(reply.status, reply.method, reply.url, headers, reply.content.replace(key, b"***"))


def lost(error: Exception, request: httpx.Request) -> TransportError:
    """The error for an exchange that broke off."""
    return transport_error(error, request.method, shown_url(str(request.url)))


def _reply_of(response: httpx.Response) -> Reply:
    request = response.request
    return Reply(response.status_code, request.method, shown_url(str(request.url)), response.headers, response.content)


def _unknown(error: TransportError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        "the answer was lost after the request was sent, so it may have been carried out",
        method=error.method,
        url=error.url,
    )


def _gzip(content: bytes) -> bytes:
    # A fixed header (no time in it) makes equal bodies equal on the wire.
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(content) + compressor.flush()


def check_base_url(value: object) -> str:
    """
    Read the `base_url` argument; the trailing slash goes.

    Raises:
        InputError: It is no http(s) URL with a host, or has a user, a query or a fragment.
    """
    try:
        url = httpx.URL(value) if isinstance(value, str) else None
    except httpx.InvalidURL:
        url = None
    if url is not None and url.userinfo:
        raise InputError("must not hold a user or a password", path="base_url")
    if url is None or url.scheme not in {"http", "https"} or not url.host:
        shown = "something with an '@'" if "@" in str(value) else repr(value)  # which may be a password
        raise InputError(f'expected a URL such as "https://api.segments.ai", got {shown}', path="base_url")
    if url.query or url.fragment:
        raise InputError(f"must not hold a query or a fragment: {value!r}", path="base_url")
    return str(url.copy_with(query=None, fragment=None)).rstrip("/")
