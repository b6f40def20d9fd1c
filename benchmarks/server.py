"""A minimal server that does not affect the measurements: ``python -m benchmarks.server [SECONDS]``."""

from __future__ import annotations

import asyncio
import math
import sys
import time
import zlib
from collections.abc import Callable, Coroutine
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import orjson

from benchmarks.payloads import LABEL, VECTOR, new_sample, painted_bitmap, painted_image, small_image, stored

Handler = Callable[[bytes], bytes | None]
"""Returns the response to a request body; None for a wrong body."""
LATE_SECONDS = 0.1
"""Seconds after a wait was sent in which calls may still come that were sent before."""
BAD_REQUEST = (b"400 Bad Request", b"{}")
INVALID_PAGE = (b"404 Not Found", b'{"detail": "Invalid page."}')


def _put_label(body: bytes) -> bytes | None:
    return _LABEL if orjson.loads(body)["attributes"] == VECTOR else None


def _create_sample(body: bytes) -> bytes | None:
    sent = orjson.loads(body)
    return _SAMPLE if sent | _NEW_SAMPLE == sent else None  # the official SDK adds an empty readme


def _create_batch(body: bytes) -> bytes:
    return orjson.dumps([stored(sample) for sample in orjson.loads(body)])


def _get_cpu(_: bytes) -> bytes:
    return orjson.dumps({"cpu": time.process_time()})


@lru_cache(200)
def list_samples(target: str) -> bytes | None:
    """Return the page of samples that *target* requests, from a dataset whose name ends with its number of samples."""
    path, _, query = target.partition("?")
    params = dict(pair.split("=", 1) for pair in query.split("&"))
    total, per_page, page = int(path.split("-")[-1].split("/")[0]), int(params["per_page"]), int(params["page"])
    numbers = range(total)[(page - 1) * per_page : page * per_page]
    return orjson.dumps([stored(new_sample(number)) for number in numbers]) if numbers else None


_LABEL = orjson.dumps(LABEL)
_NEW_SAMPLE = new_sample(0)
_SAMPLE = orjson.dumps(stored(_NEW_SAMPLE))
_ROUTES: dict[str, Handler] = {
    "labels": _put_label,
    "samples": _create_sample,
    "samples_bulk": _create_batch,
    "cpu": _get_cpu,
    "image.jpg": lambda _: painted_image(),
    "small": lambda _: small_image(),
    "bitmap.png": lambda _: painted_bitmap(),
    "api_status": lambda _: b"{}",  # requested by the official SDK when its client is created
}
_CONTENT_TYPES = {"image.jpg": b"image/jpeg", "small": b"image/jpeg", "bitmap.png": b"image/png"}


class Bucket:
    """
    A token bucket that limits calls per second.

    Args:
        rate: Calls per second; 0 for no limit.
        burst: Calls allowed at once.
        whole_seconds: Whether waits are rounded up to whole seconds, as HTTP requires, instead of exact.
    """

    def __init__(self, rate: float, burst: int, *, whole_seconds: bool = False) -> None:
        self.refused = 0
        """Calls refused so far."""
        self.refused_late = 0
        """Those of them that came during a wait that had been sent more than `LATE_SECONDS` before."""
        self._wait_sent = self._wait_ends = -math.inf
        self._rate = rate
        self._whole_seconds = whole_seconds
        self._burst = self._tokens = float(burst)
        self._filled = time.monotonic()

    def take(self) -> float:
        """Take a token; return the seconds to wait if there is none, else 0."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            wait = (1 - self._tokens) / self._rate
            wait = math.ceil(wait) if self._whole_seconds else wait
            self._refuse(now, wait)
            return wait
        self._tokens -= 1
        return 0.0

    def _refuse(self, now: float, wait: float) -> None:
        self.refused += 1
        if now >= self._wait_ends:
            self._wait_sent = now
        self.refused_late += now - self._wait_sent > LATE_SECONDS
        self._wait_ends = max(self._wait_ends, now + wait)


class Connection(asyncio.Protocol):
    """
    A connection: responds to each complete request, and with a 400 to an unexpected body.

    Args:
        delay: Seconds before each response.
        bucket: The rate limit shared by all connections.
    """

    def __init__(self, delay: float, bucket: Bucket) -> None:
        self._delay = delay
        self._bucket = bucket
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's transport is not a subclass

    def data_received(self, data: bytes) -> None:
        """Respond to every request that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            _, found, length = head.partition(b"content-length:")
            size = end + 4 + (int(length.split(b"\r\n", 1)[0]) if found else 0)
            if len(self._received) < size:
                return
            body = bytes(self._received[end + 4 : size])
            del self._received[:size]
            self._respond(bytes(head), body)

    def _respond(self, head: bytes, body: bytes) -> None:
        if b"content-encoding: gzip" in head:
            body = zlib.decompress(body, zlib.MAX_WBITS | 16)
        method, target, _ = head.split(b" ", 2)
        content_type = b"application/json"
        if method == b"get" and b"/samples/?" in target:
            content, error = list_samples(target.decode()), INVALID_PAGE
        elif target == b"/refusals":
            content, error = orjson.dumps([self._bucket.refused, self._bucket.refused_late]), BAD_REQUEST
        elif target != b"/cpu" and (wait := self._bucket.take()):
            content, error = None, (b"429 Too Many Requests\r\nRetry-After: %g" % wait, b"{}")
        else:
            route = _route_of(target)
            content, error = _ROUTES[route](body), BAD_REQUEST
            content_type = _CONTENT_TYPES.get(route, content_type)
        status, content = error if content is None else (b"200 OK", content)
        template = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
        response = template % (status, content_type, len(content), content)
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._write, response)
        else:
            self._write(response)

    def _write(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


def _route_of(target: bytes) -> str:
    """Return the route of a path such as ``labels/...``, ``datasets/{owner}/{name}/samples/`` or ``cpu``."""
    parts = target.decode().split("?")[0].strip("/").split("/")
    return parts[3] if parts[0] == "datasets" else parts[0]


async def serve(delay: float, rate: float, burst: int, *, whole_seconds: bool) -> None:
    """Listen on a free port, print it, and serve until the process is terminated."""
    bucket = Bucket(rate, burst, whole_seconds=whole_seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(delay, bucket), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve, on uvloop if it is installed."""
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
    if find_spec("uvloop") is not None:
        run = import_module("uvloop").run
    delay, rate, burst, whole_seconds = [*sys.argv[1:], *"0000"][:4]
    run(serve(float(delay), float(rate), int(burst), whole_seconds=whole_seconds == "1"))


if __name__ == "__main__":
    main()
