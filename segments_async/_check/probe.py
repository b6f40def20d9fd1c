"""Send single requests to the service, at a limited rate, and return whatever it answers."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import httpx

from segments_async._http.pool import Pool
from segments_async._http.request_body import BytesStream
from segments_async._http.session import USER_AGENT
from segments_async._serialization.json import encode_json
from segments_async._wire.redaction import KeyRedactor
from segments_async._wire.replies import may_be_throttled
from segments_async._wire.retry import parse_retry_after
from segments_async.errors import TransportError
from segments_async.hooks import Hooks
from segments_async.settings import Clock, Masked, default_timeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async._wire.replies import Reply

SECONDS_BETWEEN = 0.34
"""Seconds between the starts of two requests: at most three per second."""
MAX_SECONDS = 120.0
"""Seconds to wait for one response."""
MAX_ATTEMPTS = 4
MAX_PAUSE = 60.0
"""Maximum seconds to wait for a service that throttles."""
MAX_ANSWER_BYTES = 64_000_000

_GATEWAY_ERRORS = frozenset({502, 503, 504})
_REPEATABLE = frozenset({"GET", "PUT", "PATCH", "DELETE"})


class Probe:
    """
    Requests to the API with a key, and to storage without it. Redirects are returned, not followed.

    Attributes:
        requests: How many were sent.
        throttled: What the service said when it throttled a request.
        last: The last response of the API.
    """

    def __init__(self, base_url: str, key: str, clock: Clock) -> None:
        self.base_url = base_url
        self.clock = clock
        self.requests: int = 0
        self.throttled: list[str] = []
        self.last: Reply | None = None
        self.pool = Pool(
            base_url=base_url,
            max_connections=1,
            transport=None,
            http_client=None,
            clock=clock,
            hooks=Hooks(),
            max_answer_bytes=MAX_ANSWER_BYTES,
        )
        self._authorization = Masked(f"APIKey {key}")
        self._redactor = KeyRedactor(key)
        self.pool.reports.register(self._redactor)
        self._next_at = 0.0

    async def api(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        compress: bool = False,
        authorization: str | None = None,
    ) -> Reply:
        """
        Send a request to the API.

        Args:
            method: The HTTP method.
            path: The path, with encoded names.
            params: The query.
            json: The body.
            compress: Whether to compress the body.
            authorization: Sent instead of the key; empty to send none.
        """
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        value = self._authorization if authorization is None else authorization
        if value:
            headers["Authorization"] = value
        content = None if json is None else encode_json(json)
        if content is not None:
            headers["Content-Type"] = "application/json"
            if compress:
                content = gzip.compress(content)
                headers["Content-Encoding"] = "gzip"
        query = f"?{httpx.QueryParams(params)}" if params else ""
        reply = await self._repeat(self.pool.api, method, f"{self.base_url}{path}{query}", headers, content)
        self.last = self._redactor.redact(reply)
        return self.last

    async def download(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Get a file, without the key."""
        return await self._repeat(self.pool.storage, "GET", url, {"User-Agent": USER_AGENT, **(headers or {})}, None)

    async def upload(self, url: str, fields: Mapping[str, str], file: tuple[str, bytes, str]) -> Reply:
        """Upload a file with a presigned form, without the key."""
        form = httpx.Request("POST", url, data=dict(fields), files={"file": file})
        headers = {"User-Agent": USER_AGENT, "Content-Type": form.headers["Content-Type"]}
        return await self._repeat(self.pool.storage, "POST", url, headers, form.read())

    async def _repeat(
        self, client: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        """Send a request, again if it was throttled, or if that is safe and it may succeed."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                reply = await self._send(client, method, url, headers, content)
            except TransportError as error:
                if attempt == MAX_ATTEMPTS or not (method in _REPEATABLE or not error.sent):
                    raise
                pause = float(attempt)
            else:
                if attempt == MAX_ATTEMPTS or not self._may_repeat(reply):
                    break
                pause = parse_retry_after(reply.headers, now=self.clock.time(), detail=str(reply.body())) or attempt
            await self.clock.sleep(min(pause, MAX_PAUSE))
        return reply

    def _may_repeat(self, reply: Reply) -> bool:
        if reply.status == 429 or (200 <= reply.status < 300 and may_be_throttled(reply.content)):  # noqa: PLR2004
            named = reply.headers.get("retry-after", "none")
            self.throttled.append(f"{reply.status}, Retry-After: {named}, {reply.body()}")
            return True
        return reply.status in _GATEWAY_ERRORS and reply.method in _REPEATABLE

    async def _send(
        self, client: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        await self._wait_for_turn()
        self.requests += 1
        request = httpx.Request(method, url, headers=dict(headers), content=content)
        request.extensions["timeout"] = default_timeout().as_dict()
        if content is not None:
            request.stream = BytesStream(content)
        return await self.pool.exchange(client, request, seconds=MAX_SECONDS)

    async def _wait_for_turn(self) -> None:
        now = self.clock.monotonic()
        if now < self._next_at:
            await self.clock.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + SECONDS_BETWEEN
