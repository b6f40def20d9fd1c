"""How a call travels: build the request, send it, send it again if it may be, map errors, structure the answer."""

from __future__ import annotations

import math
import zlib
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar, overload

import anyio
import httpx

from segments_async._http.call_stats import CallStats
from segments_async._http.pool import BytesStream
from segments_async._serialization.converter import structure
from segments_async._serialization.json import decode_json, encode_json
from segments_async._version import __version__
from segments_async._wire.endpoint import Endpoint, Repeat
from segments_async._wire.redaction import KeyRedactor
from segments_async._wire.replies import Reply, error_for, redact_url
from segments_async._wire.retry import RetryState, is_throttled
from segments_async.errors import (
    DecodeError,
    InputError,
    NotFoundError,
    OutcomeUnknownError,
    SegmentsError,
    TransportError,
)
from segments_async.settings import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from segments_async._http.gate import Gate
    from segments_async._http.pool import Pool
    from segments_async.settings import Clock, RetryPolicy

T = TypeVar("T")

USER_AGENT = f"segments-async/{__version__}"
GZIP_FROM_BYTES = 1400
"""A smaller body fits one packet as it is."""
GZIP_LEVEL = 1
THREAD_FROM_BYTES = 512 * 1024
"""Compressing or reading more than this takes long enough to be felt on the event loop."""


class Session:
    """
    Make the calls of one key, over a pool that may be shared; see `AsyncSegments` for the arguments.

    Attributes:
        max_wait: Seconds to wait at the gate at most.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        api_key: str,
        timeout: httpx.Timeout,
        retry: RetryPolicy,
        max_wait: float = math.inf,
    ) -> None:
        self.pool = pool
        self.timeout = timeout
        self.retry = retry
        self.max_wait = max_wait
        self.gate: Gate = pool.gate_for(api_key)
        self._secret = KeyRedactor(api_key)
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

    def derive(
        self,
        *,
        api_key: str | None = None,
        timeout: httpx.Timeout | None = None,
        retry: RetryPolicy | None = None,
        max_wait: float | None = None,
    ) -> Session:
        """Make a session over the same pool; what is None stays, and another key has a gate of its own."""
        derived = copy(self)
        if api_key is not None:
            derived = Session(
                self.pool, api_key=api_key, timeout=self.timeout, retry=self.retry, max_wait=self.max_wait
            )
        derived.timeout = self.timeout if timeout is None else timeout
        derived.retry = self.retry if retry is None else retry
        derived.max_wait = self.max_wait if max_wait is None else max_wait
        return derived

    @property
    def clock(self) -> Clock:
        """Where time and chance come from."""
        return self.pool.clock

    @property
    def max_connections(self) -> int:
        """Calls in flight at most."""
        return self.pool.max_connections

    @property
    def limit(self) -> int:
        """Calls that may be in flight at once now."""
        return int(self.gate.limiter.limit)

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
        stats: CallStats | None = None,
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
        stats: CallStats | None = None,
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
        stats: CallStats | None = None,
    ) -> Any:
        """
        Make one call and structure its answer.

        Args:
            endpoint: The route.
            model: The type of the answer; None expects nothing, at most JSON that nobody wants.
            path: What the route's path is filled with.
            params: The query; each value is escaped, None is left out.
            json: The body, unless *content* is given.
            content: The body, encoded as JSON already.
            stats: Collects the counts of the calls.
        """
        reply = await self._exchange(endpoint, path, params, json, content, stats or CallStats())
        if reply is None or (model is None and not reply.content):
            return None
        # Where nothing is expected, a page of HTML still means that somebody else has answered.
        kind = Any if model is None else model
        if len(reply.content) < THREAD_FROM_BYTES:
            answer = self._read(reply, kind)
        else:
            answer = await anyio.to_thread.run_sync(self._read, reply, kind, abandon_on_cancel=True)
        return None if model is None else answer

    async def call_any(self, endpoint: Endpoint, *, params: Mapping[str, Any] | None, json: Any) -> Any:
        """Make one call to an endpoint nobody declared; returns plain JSON, or None for an empty answer."""
        reply = await self._exchange(endpoint, None, params, json, None, CallStats())
        return None if reply is None or not reply.content else self._read(reply, Any)

    async def _exchange(
        self,
        endpoint: Endpoint,
        path: Mapping[str, Any] | None,
        params: Mapping[str, Any] | None,
        json: Any,
        content: bytes | None,
        stats: CallStats,
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
                request.stream = BytesStream(content)
            response = await self.pool.send(self.pool.api, request)
            stats.bytes_sent += len(content or b"")
            reply = _reply_of(response)
            stats.record_reply(reply)
            if not response.is_success:
                raise error_for(self._secret.redact(reply), now=self.clock.time())
            return reply

        state = self.retry_state(stats, may_repeat=endpoint.repeat is Repeat.SAFE)
        try:
            return await self.repeat(attempt, state, stats, self.gate)
        except NotFoundError:
            # Where the body names what is to be deleted, it is something else that was not found.
            if endpoint.method == "DELETE" and content is None and state.maybe_applied:
                return None
            raise

    def retry_state(self, stats: CallStats, *, may_repeat: bool) -> RetryState:
        """Begin to count the attempts of a call; *may_repeat* tells whether to go on after an ambiguous failure."""
        return RetryState(self.retry, self.retry.bulk_attempts if stats.bulk else self.retry.attempts, may_repeat)

    async def repeat(self, attempt: Callable[[], Awaitable[T]], state: RetryState, stats: CallStats, gate: Gate) -> T:
        """
        Make *attempt* until it succeeds or *state* decides to give up.

        Args:
            attempt: Sends the request once.
            state: Counts the attempts, and knows what may be repeated.
            stats: Collects the counts of the calls.
            gate: Where each attempt waits for its turn.

        Raises:
            OutcomeUnknownError: The answer was lost, and the request may not be repeated.
        """
        stats.calls += 1
        started = self.clock.monotonic()
        jump_queue = False
        while True:
            self.pool.check_usable()
            left = self.retry.total - (self.clock.monotonic() - started)
            ticket = await gate.enter(first=jump_queue, max_wait=self.max_wait, longest_hold=left)
            try:
                self.pool.check_open()
                if not state.attempts:
                    started = self.clock.monotonic()  # waiting for the first turn does not count
                stats.attempts += 1
                self.pool.counts.retries += state.attempts > 0
                result = await attempt()
            except SegmentsError as caught:
                error = caught
                gate.failed(ticket, error)
            else:
                gate.succeeded(ticket)
                return result
            finally:
                gate.leave(ticket)
            decision = state.wait_after(error, elapsed=self.clock.monotonic() - started, jitter=self.clock.random())
            jump_queue = decision.jump_queue
            if is_throttled(error):
                stats.throttles += 1
                self.pool.notify_throttle(error)
            wait = decision.wait
            budget_spent = gate.budget.is_empty
            if wait is None or wait > self.max_wait or (decision.charge_budget and budget_spent and not stats.bulk):
                raise _final(error, state)
            if stats.bulk and budget_spent:
                # The service is failing: slow down, and allow the items as much more time.
                pause = self.retry.cap * self.clock.random()
                started += pause
                wait += pause
            self.pool.notify_retry(error, attempt=state.attempts, seconds=wait)
            if not decision.at_gate:
                await self.clock.sleep(wait)

    def _url(self, target: str, params: Mapping[str, Any] | None) -> httpx.URL:
        given = {name: value for name, value in params.items() if value is not None} if params else None
        if given:
            target = f"{target}{'&' if '?' in target else '?'}{httpx.QueryParams(given)}"
        try:
            return httpx.URL(f"{self.pool.base_url}{target}")
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
            if (safe := self._secret.redact(reply)) is not reply:
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


def _reply_of(response: httpx.Response) -> Reply:
    request = response.request
    return Reply(response.status_code, request.method, redact_url(str(request.url)), response.headers, response.content)


def _final(error: SegmentsError, state: RetryState) -> SegmentsError:
    """What a call ends with that is not made again."""
    if isinstance(error, TransportError) and error.sent and not state.may_repeat:
        unknown = OutcomeUnknownError(
            "the answer was lost after the request was sent, so it may have been carried out",
            method=error.method,
            url=error.url,
        )
        unknown.__cause__ = error
        return unknown
    if state.attempts > 1:
        error.add_note(f"sent {state.attempts} times")
    return error


def _gzip(content: bytes) -> bytes:
    # A fixed header (no time in it) makes equal bodies equal on the wire.
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(content) + compressor.flush()
