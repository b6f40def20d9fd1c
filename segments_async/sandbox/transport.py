"""An httpx transport that reaches the sandbox without a socket."""

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
    Passes the requests of an httpx client to a running sandbox; created by `Sandbox.transport`.

    Arguments:
        apps: ASGI applications by host and port.
        loop: The event loop of the sandbox.
    """

    def __init__(self, apps: Mapping[tuple[str, int | None], ASGIApp], loop: asyncio.AbstractEventLoop) -> None:
        self._apps = apps
        self._loop = loop
        self._limiter = anyio.CapacityLimiter(MAX_REQUESTS)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and return its response, with the whole body in memory."""
        app = self._apps.get((request.url.host, request.url.port))
        if app is None:
            raise httpx.ConnectError(f"{request.url.host}:{request.url.port} is not this sandbox", request=request)
        exchange = _Exchange(request, await request.aread())
        job = asyncio.run_coroutine_threadsafe(exchange.run(app), self._loop)
        try:
            with anyio.fail_after(request.extensions.get("timeout", {}).get("read")):
                await anyio.to_thread.run_sync(job.result, abandon_on_cancel=True, limiter=self._limiter)
        except TimeoutError:
            raise httpx.ReadTimeout("the sandbox did not respond in time", request=request) from None
        except CancelledError:
            raise httpx.ReadError("the sandbox was stopped", request=request) from None
        finally:
            job.cancel()
        return exchange.response()


@define(eq=False)
class _Exchange:
    """A request and its response. Also serves as the transport that the application closes to drop the connection."""

    request: httpx.Request
    body: bytes
    is_closed: bool = False
    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(factory=list)
    response_body: bytearray = field(factory=bytearray)
    _body_received: bool = False

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
        if self._body_received:
            return {"type": "http.disconnect"}
        self._body_received = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.response_body += message.get("body", b"")

    def abort(self) -> None:
        self.is_closed = True

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def response(self) -> httpx.Response:
        if self.is_closed or self.status is None:
            problem = "without sending a response" if self.status is None else "in the middle of the response"
            raise httpx.RemoteProtocolError(f"Server disconnected {problem}.", request=self.request)
        stream = httpx.ByteStream(bytes(self.response_body))
        return httpx.Response(self.status, headers=self.headers, stream=stream, request=self.request)
