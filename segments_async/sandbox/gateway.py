"""The front door of both origins: request ids, the call log, latency, and scripted faults."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING

from attrs import define
from starlette.requests import ClientDisconnect, Request

from segments_async.sandbox.calls import Call, Origin
from segments_async.sandbox.signing import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.responses import Response
    from starlette.types import Message, Receive, Scope, Send

    from segments_async.sandbox.faults import Fault, FaultScript

TICK_SECONDS = 0.02
"""A slow body goes in pieces, one in so much time."""


@define(eq=False, kw_only=True)
class Gateway:
    """
    An ASGI application around *answer*, which sees only requests that no fault keeps from it.

    Arguments:
        origin: Which host this is.
        answer: Makes the real answer.
        calls: Where requests are noted down.
        faults: What may happen instead of the real answer.
        request_ids: Yields one for each request.
        clock: Returns the seconds since the epoch, for the header ``Date``.
        latency: Returns the seconds to wait before a request is handled.
    """

    origin: Origin
    answer: Callable[[Request], Awaitable[Response]]
    calls: deque[Call]
    faults: FaultScript
    request_ids: Iterator[str]
    clock: Callable[[], float]
    latency: Callable[[], float]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self._serve(scope, receive, send)
        except (ClientDisconnect, asyncio.CancelledError):
            return  # the client hung up, or the sandbox stops: there is nobody to answer, nothing to log

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, request_id = Request(scope, receive), next(self.request_ids)
        fault = self.faults.take(self.origin, request.method, scope["raw_path"].decode("ascii"))
        drop = fault.drop if fault else None
        body = b"" if drop == "before" else await _read(request)
        if pause := self.latency() + (fault.delay if fault else 0):
            await asyncio.sleep(pause)
        response = None if drop == "before" else await self._respond(request, fault)
        if response is not None:
            self._stamp(response, request_id)
        status = None if response is None or drop == "after" else response.status_code
        call = Call.of(request, origin=self.origin, request_id=request_id, body_bytes=len(body), status=status)
        self.calls.append(call)
        if fault is not None and fault.stall:
            await asyncio.sleep(fault.stall)
        if fault is not None and fault.rate is not None:
            send = _slow(send, fault.rate)
        if drop is None and response is not None:
            await response(scope, receive, send)
        else:
            await _cut(scope, receive, send, response if drop == "middle" else None)

    async def _respond(self, request: Request, fault: Fault | None) -> Response:
        if fault is None or fault.handled:
            response = await self.answer(request)
            return response if fault is None or fault.status is None else fault.response()
        return fault.response()

    def _stamp(self, response: Response, request_id: str) -> None:
        present = {name for name, _ in response.raw_headers}
        for name, value in ((b"x-request-id", request_id), (b"date", formatdate(self.clock(), usegmt=True))):
            if name not in present:
                response.raw_headers.append((name, value.encode()))


async def _read(request: Request) -> bytes:
    """
    Take in the body, so that a request that was sent is handled, even if its client does not wait for it.

    One that is too large for either origin stays where it is: *answer* refuses it by its length.
    """
    length = request.headers.get("content-length", "0")
    return b"" if int(length) > MAX_BODY_BYTES else await request.body()


async def _cut(scope: Scope, receive: Receive, send: Send, response: Response | None) -> None:
    """Close the connection: at once, or after half of *response*."""
    transport: asyncio.Transport = scope["state"]["transport"]
    if response is None:
        transport.abort()
    else:
        with suppress(_EnoughError):
            await response(scope, receive, _half(send, int(response.headers.get("content-length", 0)) // 2))
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass  # until uvicorn has seen it too; else it would complain that the answer is not complete


class _EnoughError(Exception):
    """Half of an answer is sent."""


def _half(send: Send, left: int) -> Send:
    """Send so many bytes of a body, and no more."""

    async def send_some(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.body":
            body = message.get("body", b"")[:left]
            left -= len(body)
            message = {"type": message["type"], "body": body, "more_body": True}
        await send(message)
        if not left and message["type"] == "http.response.body":
            raise _EnoughError

    return send_some


def _slow(send: Send, rate: float) -> Send:
    """Send so many bytes of a body a second."""
    size = max(1, int(rate * TICK_SECONDS))

    async def send_slowly(message: Message) -> None:
        body = message.get("body", b"")
        for start in range(0, len(body), size):
            await asyncio.sleep(TICK_SECONDS)
            await send({"type": message["type"], "body": body[start : start + size], "more_body": True})
        await send({**message, "body": b""} if body else message)

    return send_slowly
