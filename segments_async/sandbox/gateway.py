"""The gateway of both origins: request ids, the request log, latency and scripted faults."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING

from attrs import define, field
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
"""Interval between the chunks of a slow body."""


@define(eq=False, kw_only=True)
class Gateway:
    """
    An ASGI application around *answer*, which handles the requests that no fault replaces.

    Arguments:
        origin: The origin this gateway serves.
        answer: Handles a request and returns the real response.
        calls: The request log to append to.
        faults: The scripted faults.
        request_ids: Yields an id for each request.
        clock: Returns the seconds since the Unix epoch, for the header ``Date``.
        latency: Returns the seconds to wait before handling a request.
    """

    origin: Origin
    answer: Callable[[Request], Awaitable[Response]]
    calls: deque[Call]
    faults: FaultScript
    request_ids: Iterator[str]
    clock: Callable[[], float]
    latency: Callable[[], float]
    _requests: set[asyncio.Task[object]] = field(factory=set, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        task = asyncio.current_task()
        assert task is not None  # every server runs an application in a task
        self._requests.add(task)
        try:
            await self._serve(scope, receive, send)
        except (ClientDisconnect, asyncio.CancelledError):
            # The client disconnected, the sandbox is stopping, or its data is being deleted.
            await _drop_connection(scope, receive, send, None)
        finally:
            self._requests.discard(task)

    def drop_requests(self) -> None:
        """Drop the connections of all requests in progress."""
        for task in tuple(self._requests):
            task.cancel()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, request_id = Request(scope, receive), next(self.request_ids)
        fault = self.faults.take(self.origin, request.method, scope["raw_path"].decode("ascii"))
        drop = fault.drop if fault else None
        body = b"" if drop == "before" else await _read_body(request)
        if pause := self.latency() + (fault.delay if fault else 0):
            await asyncio.sleep(pause)
        response = None if drop == "before" else await self._respond(request, fault)
        if response is not None:
            self._add_headers(response, request_id)
        status = None if response is None or drop == "after" else response.status_code
        call = Call.of(request, origin=self.origin, request_id=request_id, body_bytes=len(body), status=status)
        self.calls.append(call)
        if fault is not None and fault.stall:
            await asyncio.sleep(fault.stall)
        if fault is not None and fault.rate is not None:
            send = _throttle(send, fault.rate)
        if drop is None and response is not None:
            await response(scope, receive, send)
        else:
            await _drop_connection(scope, receive, send, response if drop == "middle" else None)

    async def _respond(self, request: Request, fault: Fault | None) -> Response:
        if fault is None or fault.handled:
            response = await self.answer(request)
            return response if fault is None or fault.status is None else fault.response()
        return fault.response()

    def _add_headers(self, response: Response, request_id: str) -> None:
        present = {name for name, _ in response.raw_headers}
        for name, value in ((b"x-request-id", request_id), (b"date", formatdate(self.clock(), usegmt=True))):
            if name not in present:
                response.raw_headers.append((name, value.encode()))


async def _read_body(request: Request) -> bytes:
    """
    Read the body first, so that a sent request is handled even if its client disconnects early.

    A body that is too large for both origins is not read: *answer* rejects it by its length.
    """
    length = request.headers.get("content-length", "0")
    return b"" if int(length) > MAX_BODY_BYTES else await request.body()


async def _drop_connection(scope: Scope, receive: Receive, send: Send, response: Response | None) -> None:
    """Close the connection, immediately or after half of *response*."""
    transport: asyncio.Transport = scope["state"]["transport"]
    if response is None:
        transport.abort()
    else:
        with suppress(_TruncatedError):
            await response(scope, receive, _truncate(send, int(response.headers.get("content-length", 0)) // 2))
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass  # wait until uvicorn notices; otherwise it logs an incomplete response


class _TruncatedError(Exception):
    """Raised once the truncated part of a response is sent."""


def _truncate(send: Send, left: int) -> Send:
    """Wrap *send* to stop after *left* bytes of the body."""

    async def send_truncated(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.body":
            body = message.get("body", b"")[:left]
            left -= len(body)
            message = {"type": message["type"], "body": body, "more_body": True}
        await send(message)
        if not left and message["type"] == "http.response.body":
            raise _TruncatedError

    return send_truncated


def _throttle(send: Send, rate: float) -> Send:
    """Wrap *send* to limit the body to *rate* bytes per second."""
    size = max(1, int(rate * TICK_SECONDS))

    async def send_throttled(message: Message) -> None:
        body = message.get("body", b"")
        for start in range(0, len(body), size):
            await asyncio.sleep(TICK_SECONDS)
            await send({"type": message["type"], "body": body[start : start + size], "more_body": True})
        await send({**message, "body": b""} if body else message)

    return send_throttled
