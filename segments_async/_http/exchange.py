"""One request on a connection: whether it was sent, and sending it over httpx."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

EXCHANGE = "segments_async.exchange"
"""The extension of a request that has its `Exchange`."""
CLOSE_SECONDS = 2.0
"""Maximum seconds to close a connection, whatever the server does."""
_LAYERS = ("_stream", "_httpcore_stream", "_connection")
"""Attributes in which a stream of httpx or httpcore keeps the stream that it wraps."""
_NO_AUTH = httpx.Auth()
"""Without it, httpx would look for a user in each URL."""


class Exchange:
    """
    One request on a connection.

    Attributes:
        sent: Whether bytes of the request may have left for the server; a CONNECT to a proxy does not count. None if
            the transport does not say.
        is_queued: Whether the request waits until a connection is free. False if the transport does not say.
        body: The body of the response, which releases the connection when it is closed, until the caller has it.
        key: What aiohttp keeps the connection under.
    """

    __slots__ = ("body", "is_queued", "key", "sent")

    def __init__(self) -> None:
        self.sent: bool | None = None
        self.is_queued: bool = False
        self.body: Any = None
        self.key: Any = None

    async def abandon(self) -> None:
        """Close the response, if there is one that the caller does not have."""
        body, self.body = self.body, None
        if body is not None:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                await body.aclose()

    async def observe(self, event: str, info: Mapping[str, Any]) -> None:
        """Handle the ``trace`` events of httpcore; for an `http_client`, whose sockets are not accessible."""
        if event.endswith("send_request_headers.started"):
            self.sent = self.sent or info["request"].method != b"CONNECT"
        elif self.sent is None:
            self.sent = False


async def send_over(
    client: httpx.AsyncClient, request: httpx.Request, exchange: Exchange, *, stream: bool
) -> httpx.Response:
    """Send *request* unchanged; no connection is lost if an instrumentation or a log handler in between raises."""
    try:
        response = await client.send(request, stream=stream, auth=_NO_AUTH, follow_redirects=False)
    except BaseException:
        await exchange.abandon()
        raise
    exchange.body = None
    return response


async def close_if_not_drained(response: httpx.Response) -> None:
    """Close the connection of a response that was read, if the server has sent more, so that a pool drops it."""
    stream = response.extensions.get("network_stream")
    if stream is not None and (_has_trailing_data(response.stream) or stream.get_extra_info("is_readable")):
        await stream.aclose()


def _has_trailing_data(stream: Any) -> bool:
    """Whether bytes follow the response in h11's buffer, which is below several layers of httpx and httpcore."""
    layer = stream
    while layer is not None:
        parser = getattr(layer, "_h11_state", None)
        if parser is not None:
            return bool(parser.trailing_data[0])
        layer = next((inner for name in _LAYERS if (inner := getattr(layer, name, None)) is not None), None)
    return False
