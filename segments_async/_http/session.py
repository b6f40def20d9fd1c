"""Make a call: build the request, send it, retry it, map errors, and structure the response."""

from __future__ import annotations

import math
import zlib
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar, overload

import httpx

from segments_async._http.base_url import address_of
from segments_async._http.bodies import error_of
from segments_async._http.call_stats import CallStats
from segments_async._http.gate import MAX_PAUSE
from segments_async._http.pool import MB
from segments_async._http.request_body import CommonHeaders, SimpleRequest
from segments_async._serialization.collector import without_collections
from segments_async._serialization.converter import structure_answer as structure
from segments_async._serialization.decoded_size import decoded_size, may_exceed
from segments_async._serialization.json import decode_json, encode_json
from segments_async._threads import run_sync
from segments_async._version import __version__
from segments_async._wire.changes import Write, match_route
from segments_async._wire.endpoint import Endpoint, Repeat
from segments_async._wire.not_found import note_missing
from segments_async._wire.raw_response import raw_response
from segments_async._wire.redaction import KeyRedactor
from segments_async._wire.redirects import slash_redirect
from segments_async._wire.replies import Reply, error_for, may_be_no_result, may_be_throttled, non_result
from segments_async._wire.retry import RetryState, is_throttled
from segments_async._wire.routes import WRITES
from segments_async.errors import (
    ApiError,
    AuthenticationError,
    DecodeError,
    InputError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    SegmentsError,
    TransportError,
)
from segments_async.settings import Masked, default_timeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from segments_async._http.base_url import Address
    from segments_async._http.gate import Gate
    from segments_async._http.pool import Pool
    from segments_async.settings import Clock, RetryPolicy

T = TypeVar("T")

USER_AGENT = f"segments-async/{__version__}"
GZIP_FROM_BYTES = 1400
"""Minimum size of a body that is compressed; a smaller one fits one packet anyway."""
GZIP_LEVEL = 1
PAUSE_FROM_BYTES = 32 * 1024
"""Minimum size of a body that is parsed without collections of garbage."""
THREAD_FROM_BYTES = 512 * 1024
"""Minimum size of a body that is compressed or parsed in a worker thread, so as not to block the event loop."""
DECODING_BYTES = 64_000_000
"""Bytes of memory beyond `max_answer_mb` that a response may take together with the values it is decoded to."""


class Session:
    """
    Make the calls of one key over a pool that may be shared; see `AsyncSegments` for the arguments.

    Attributes:
        max_wait: Maximum seconds to wait at the gate.
        key_place: Where the key came from, for errors.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        api_key: str,
        timeout: httpx.Timeout,
        retry: RetryPolicy,
        max_wait: float = math.inf,
        key_place: str = "the argument api_key",
    ) -> None:
        self.pool = pool
        self.key_place = key_place
        self.timeout = timeout
        self.retry = retry
        self.max_wait = max_wait
        self.gate: Gate = pool.gate_for(api_key)
        self._redactor = KeyRedactor(api_key)
        pool.reports.register(self._redactor)
        # httpx shows Authorization as [secure].
        headers = {
            "Host": pool.base.host,
            "Authorization": Masked(f"APIKey {api_key}"),
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": USER_AGENT,
        }
        self._bare_headers = CommonHeaders(headers)
        self._json_headers = CommonHeaders(headers | {"Content-Type": "application/json"})
        self._gzip_headers = CommonHeaders(headers | {"Content-Type": "application/json", "Content-Encoding": "gzip"})

    def derive(
        self,
        *,
        api_key: str | None = None,
        timeout: httpx.Timeout | None = None,
        retry: RetryPolicy | None = None,
        max_wait: float | None = None,
    ) -> Session:
        """Create a session over the same pool. None keeps a value; another key has its own gate."""
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
        """The source of time and randomness."""
        return self.pool.clock

    @property
    def max_connections(self) -> int:
        """Maximum calls in flight."""
        return self.pool.max_connections

    @property
    def limit(self) -> int:
        """Maximum calls in flight now."""
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

    @overload
    async def call(
        self,
        endpoint: Endpoint,
        *,
        read: Callable[[Any, bytes], T],
        path: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        stats: CallStats | None = None,
    ) -> T: ...

    async def call(
        self,
        endpoint: Endpoint,
        model: Any = None,
        *,
        read: Callable[[Any, bytes], Any] | None = None,
        path: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        stats: CallStats | None = None,
    ) -> Any:
        """
        Make one call and structure its response.

        Args:
            endpoint: The route.
            model: The type of the response; None ignores it, though it must be empty or JSON.
            read: Structures the decoded response, and also gets its text; instead of *model*.
            path: The values for the names in the route's path.
            params: The query parameters; None values are left out.
            json: The body, unless *content* is given.
            content: The body, already encoded as JSON.
            stats: Collects the counts of the call.
        """
        try:
            if endpoint.writes is None:
                reply = await self._exchange(endpoint, path, params, json, content, stats or CallStats())
            else:
                write = Write(endpoint, path or {}, lambda: json if content is None else decode_json(content))
                reply = await self._exchange_writing(write, endpoint, path, params, json, content, stats or CallStats())
        except NotFoundError as error:
            note_missing(error, endpoint, path or {}, params or {})
            raise
        if reply is None or (model is read is None and not reply.content):
            return None
        # Even an ignored response is parsed: an HTML page means that it did not come from the API.
        expected = Any if model is None else model
        if len(reply.content) < PAUSE_FROM_BYTES:
            answer = self._result(reply, expected, endpoint, read)
        elif len(reply.content) < THREAD_FROM_BYTES:
            answer = without_collections(self._result, reply, expected, endpoint, read)
        else:
            answer = await run_sync(
                without_collections, self._result, reply, expected, endpoint, read, abandon_on_cancel=True
            )
        return None if model is read is None else answer

    async def call_any(self, endpoint: Endpoint, *, params: Mapping[str, Any] | None, json: Any) -> Any:
        """
        Make one call to an undeclared endpoint.

        Returns:
            Plain JSON, or None for an empty response; of a raw endpoint, a `RawResponse`.
        """
        target = endpoint.fill()
        declared = None if endpoint.method == "GET" else match_route(WRITES, endpoint.method, target)
        if declared is None:
            reply = await self._exchange(endpoint, None, params, json, None, CallStats())
        else:
            write = Write(*declared, lambda: json)
            reply = await self._exchange_writing(write, endpoint, None, params, json, None, CallStats())
        if endpoint.raw and reply is not None:
            return raw_response(reply)
        return None if reply is None or not reply.content else self._decode(reply, Any)[1]

    async def _exchange_writing(self, write: Write, *call: Any) -> Reply | None:
        """Send a request that writes, and report it to the lists that are being read."""
        changes = self.pool.changes
        changes.begin(write)
        try:
            reply = await self._exchange(*call)
            if reply is not None and write.dataset is None and changes.is_watched:
                write.dataset = _dataset_in(reply)
            return reply
        finally:
            changes.end(write)

    async def _exchange(
        self,
        endpoint: Endpoint,
        path: Mapping[str, Any] | None,
        params: Mapping[str, Any] | None,
        json: Any,
        content: bytes | None,
        stats: CallStats,
    ) -> Reply | None:
        """Send the request with retries; None if a DELETE was carried out by an attempt whose response was lost."""
        address = self._address(endpoint.fill(**(path or {})), params)
        if content is None and json is not None:
            content = encode_json(json)
        headers, content = await self._compress_body(endpoint, content)
        timeouts = self._timeouts_for(endpoint)
        method = endpoint.method.upper()

        async def send(address: Address, seconds: float) -> Reply:
            request = SimpleRequest(method, address, headers, content, timeouts)
            reply = await self.pool.exchange(self.pool.api, request, seconds=seconds)
            stats.bytes_sent += len(content or b"")
            stats.record_reply(reply.headers, self._redactor)
            return reply

        async def attempt(seconds: float) -> Reply:
            reply = await send(address, seconds)
            if not 200 <= reply.status < 300:  # noqa: PLR2004
                target = slash_redirect(reply.status, address.text, reply.headers.get("location"))
                if target is not None:
                    reply = await send(address_of(httpx.URL(target)), seconds)
                reply = self._redactor.redact(reply)
                if not 200 <= reply.status < 300:  # noqa: PLR2004
                    raise self._with_place_of_key(await error_of(error_for, reply, now=self.clock.time()))
            await self._check_size(reply)
            if may_be_throttled(reply.content):
                self._check_throttling(reply)
            return reply

        state = self.retry_state(stats, may_repeat=endpoint.repeat is Repeat.SAFE)
        try:
            return await self.repeat(attempt, state, stats, self.gate, answer_seconds=timeouts["read"])
        except NotFoundError:
            # With a body, the 404 concerns the path and not the items to delete, which the body lists.
            if endpoint.method == "DELETE" and content is None and state.maybe_applied and not endpoint.raw:
                return None
            raise

    def _with_place_of_key(self, error: ApiError) -> ApiError:
        if isinstance(error, AuthenticationError):
            error.add_note(f"the key came from {self.key_place}")
        return error

    def retry_state(self, stats: CallStats, *, may_repeat: bool) -> RetryState:
        """Create the retry state of a call; *may_repeat* says whether to retry after an ambiguous failure."""
        return RetryState(self.retry, self.retry.bulk_attempts if stats.bulk else self.retry.attempts, may_repeat)

    async def repeat(
        self,
        attempt: Callable[[float], Awaitable[T]],
        state: RetryState,
        stats: CallStats,
        gate: Gate,
        *,
        answer_seconds: float | None = None,
    ) -> T:
        """
        Call *attempt* until it succeeds or no retry is left.

        Args:
            attempt: Sends the request once, within the seconds that it is passed.
            state: Counts the attempts, and decides about retries.
            stats: Collects the counts of the call.
            gate: Each attempt waits here for a slot.
            answer_seconds: The read timeout. The last attempt ends this long after the first one started, or
                ``retry.total`` if that is longer; waits that the service asks for are added.

        Raises:
            OutcomeUnknownError: The response was lost, and the request must not be repeated.
        """
        stats.calls += 1
        started = self.clock.monotonic()
        limit = math.inf if answer_seconds is None else max(self.retry.total, answer_seconds)
        jump_queue = False
        while True:
            self.pool.check_usable()
            remaining = self.retry.total - (self.clock.monotonic() - started)
            # Items of a bulk run wait for their turns, as many processes may share the rate.
            max_turn = max(remaining, MAX_PAUSE) if stats.bulk else remaining
            ticket = await gate.enter(first=jump_queue, max_wait=self.max_wait, max_pause=remaining, max_turn=max_turn)
            try:
                self.pool.check_open()
                if stats.bulk:
                    started += ticket.turn_seconds
                if not state.attempts:
                    started = self.clock.monotonic()  # waiting for the first slot does not count
                stats.attempts += 1
                self.pool.counts.retries += state.attempts > 0
                result = await attempt(max(0.0, limit - (self.clock.monotonic() - started)))
            except SegmentsError as caught:
                error = caught
                gate.failed(ticket, error)
                remaining = self.retry.total - (self.clock.monotonic() - started)
                await gate.notify_others(error, min(self.max_wait, remaining))
            else:
                gate.succeeded(ticket)
                return result
            finally:
                gate.leave(ticket)
            decision = state.wait_after(error, elapsed=self.clock.monotonic() - started, jitter=self.clock.random())
            jump_queue = decision.jump_queue
            if is_throttled(error):
                stats.throttles += 1
                self.pool.reports.notify_throttle(error)
            wait = decision.wait
            budget_spent = gate.budget.is_empty
            if wait is None or wait > self.max_wait or (decision.charge_budget and budget_spent and not stats.bulk):
                raise _final_error(error, state)
            if stats.bulk and budget_spent:
                # The service is failing: slow down, and extend the deadline by the same time.
                pause = self.retry.cap * self.clock.random()
                started += pause
                wait += pause
            self.pool.reports.notify_retry(error, attempt=state.attempts, seconds=wait)
            if decision.at_gate:
                limit += wait
            else:
                await self.clock.sleep(wait)

    def _address(self, target: str, params: Mapping[str, Any] | None) -> Address:
        query = {name: value for name, value in params.items() if value is not None} if params else None
        if query:
            target = f"{target}{'&' if '?' in target else '?'}{httpx.QueryParams(query)}"
        try:
            return self.pool.base.address(target)
        except Exception as error:  # the URL parser may raise undocumented exceptions
            raise InputError(f"not a valid URL path: {error}", path="path") from error

    def _timeouts_for(self, endpoint: Endpoint) -> dict[str, float | None]:
        timeouts = self.timeout.as_dict()
        if endpoint.read_timeout is not None and self.timeout is default_timeout():
            timeouts["read"] = endpoint.read_timeout
        return timeouts

    async def _compress_body(self, endpoint: Endpoint, content: bytes | None) -> tuple[CommonHeaders, bytes | None]:
        """Return the headers for a body, and the body, compressed if the route accepts it and it is large enough."""
        if content is None:
            return self._bare_headers, None
        if not endpoint.gzip or len(content) < GZIP_FROM_BYTES:
            return self._json_headers, content
        if len(content) < THREAD_FROM_BYTES:
            return self._gzip_headers, _gzip(content)
        return self._gzip_headers, await run_sync(_gzip, content)

    async def _check_size(self, reply: Reply) -> None:
        """
        Check that the values of a response fit in memory, before they are decoded.

        Raises:
            DecodeError: Together with the text, they may take more than `max_answer_mb` and 64 MB.
        """
        length, limit = len(reply.content), self.pool.max_answer_bytes
        if not may_exceed(length, limit + DECODING_BYTES - length):
            return
        size = length + await run_sync(decoded_size, reply.content)
        if size > limit + DECODING_BYTES:
            problem = (
                f"decoded, the answer of {length / MB:.3g} MB may take {size / MB:.3g} MB of memory, more than "
                f"max_answer_mb={limit / MB:g} allows; {math.ceil((size - DECODING_BYTES) / MB)} would allow it"
            )
            raise self._decode_error(reply, problem, "", None)

    def _check_throttling(self, reply: Reply) -> None:
        """
        Check a successful response that looks like a refusal, so that the call can be repeated.

        Raises:
            RateLimitError: The service refused the call, whatever the status says.
        """
        error = non_result(reply, reply.body(), now=self.clock.time())
        if isinstance(error, RateLimitError):
            raise error

    def _result(self, reply: Reply, model: Any, endpoint: Endpoint, read: Callable[[Any, bytes], Any] | None) -> Any:
        """
        Structure a response, and check that it is a result.

        Raises:
            DecodeError: It is not, so it is unknown whether the call was carried out.
        """
        payload, answer = self._decode(reply, model, read)
        if may_be_no_result(payload) and (
            error := non_result(self._redactor.redact(reply), payload, now=self.clock.time())
        ):
            raise error
        keys = endpoint.result_keys
        if keys and not any(payload.get(key) is not None for key in keys):
            problem = f"the answer has none of {', '.join(sorted(keys))}"
            raise self._decode_error(reply, problem, "", payload)
        return answer

    def _decode(self, reply: Reply, model: Any, read: Callable[[Any, bytes], Any] | None = None) -> tuple[Any, Any]:
        """Return the JSON of a response, and the same structured as *model*, or by *read*."""
        payload: Any = None
        try:
            payload = decode_json(reply.content)
            return payload, structure(payload, model) if read is None else read(payload, reply.content)
        except DecodeError as error:
            problem, path = error.problem, error.path
            payload = error.payload if payload is None else payload
        redacted = self._redactor.redact(reply)
        if redacted is reply:
            raise self._decode_error(reply, problem, path, payload)
        reply, payload, problem, path = redacted, None, "", ""  # some tools print the local variables of this frame
        return self._decode(reply, model, read)

    def _decode_error(self, reply: Reply, problem: str, path: str, payload: Any) -> DecodeError:
        return DecodeError(
            problem,
            path=path,
            payload=payload,
            status=reply.status,
            method=reply.method,
            url=reply.url,
            request_id=self._redactor.redact_text(reply.request_id),
        )


def _final_error(error: SegmentsError, state: RetryState) -> SegmentsError:
    """
    Return the error to raise when there is no further attempt.

    It is without the stack frames of the attempt, which are the same for all failures.
    """
    error.__traceback__ = None
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


def _dataset_in(reply: Reply) -> str | None:
    """Return the dataset that a response names, as that of a changed sample does."""
    body = reply.body()
    name = body.get("dataset_full_name") if isinstance(body, dict) else None
    return name if isinstance(name, str) else None


def _gzip(content: bytes) -> bytes:
    # zlib's gzip header has no timestamp, so equal bodies are equal on the wire.
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(content) + compressor.flush()
