"""The way to the sandbox without a socket."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpx
from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp

MAX_REQUESTS = 1000


class SandboxTransport(httpx.AsyncBaseTransport):
    """
    Hands the requests of an httpx client to a running sandbox; made by `Sandbox.transport`.

    Arguments:
        apps: What answers, by host and port.
        loop: Where it runs.
    """

    def __init__(self, apps: Mapping[tuple[str, int | None], ASGIApp], loop: asyncio.AbstractEventLoop) -> None:
        self._apps = apps
        self._loop = loop
        self._limiter = anyio.CapacityLimiter(MAX_REQUESTS)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*, whose answer comes in one piece."""
        app = self._apps.get((request.url.host, request.url.port))
        if app is None:
            raise httpx.ConnectError(f"{request.url.host}:{request.url.port} is not this sandbox", request=request)
        exchange = _Exchange(request, await request.aread())
        job = asyncio.run_coroutine_threadsafe(exchange.run(app), self._loop)
        try:
            with anyio.fail_after(request.extensions.get("timeout", {}).get("read")):
                await anyio.to_thread.run_sync(job.result, abandon_on_cancel=True, limiter=self._limiter)
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None
        except CancelledError:
            raise httpx.ReadError("the sandbox was stopped", request=request) from None
        finally:
            job.cancel()
        return exchange.response()


@define(eq=False)
class _Exchange:
    """A request and its answer, as an ASGI application sees them; also what it cuts instead of a connection."""

    request: httpx.Request
    body: bytes
    is_cut: bool = False
    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(factory=list)
    answer: bytearray = field(factory=bytearray)
    _taken: bool = False

    async def run(self, app: ASGIApp) -> None:
        url = self.request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self.request.headers.raw],
            "client": ("127.0.0.1", 0),
            "server": (url.host, url.port),
            "state": {"transport": self},
        }
        await app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self._taken:
            return {"type": "http.disconnect"}
        self._taken = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.answer += message.get("body", b"")

    def abort(self) -> None:
        self.is_cut = True

    def close(self) -> None:
        self.is_cut = True

    def is_closing(self) -> bool:
        return self.is_cut

    def response(self) -> httpx.Response:
        if self.is_cut or self.status is None:
            words = "Server disconnected without sending a response." if self.status is None else "The answer was cut."
            raise httpx.RemoteProtocolError(words, request=self.request)
        stream = httpx.ByteStream(bytes(self.answer))
        return httpx.Response(self.status, headers=self.headers, stream=stream, request=self.request)
