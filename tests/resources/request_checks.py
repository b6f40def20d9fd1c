"""Check that a call sends exactly one expected request."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Any

import httpx
import orjson
from attrs import field, frozen

from segments_async import AsyncSegments, RetryPolicy, SegmentsError

DEFAULTS = {
    "task_type": "segmentation-bitmap",
    "task_attributes": {"format_version": "0.1", "categories": [{"name": "object", "id": 1}]},
    "category": "other",
    "data_type": "IMAGE",
    "public": False,
}
ODD = "a b#c?d%e+é"
ODD_PATH = "a%20b%23c%3Fd%25e%2B%C3%A9"


@frozen
class Case:
    """A call, and the request it should make."""

    call: Any
    sends: str
    query: dict[str, str] = field(factory=dict)
    body: Any = None
    answer: Any = None
    gives: Any = None


def pages(**query):
    return {"per_page": "1000", "page": "1", **query}


def body_of(request):
    if request.headers.get("content-encoding") == "gzip":
        return zlib.decompress(request.content, zlib.MAX_WBITS | 16)
    return request.content


def shape_of(value):
    return [type(item) for item in value] if isinstance(value, list) else value if value is None else type(value)


async def check_call(case):
    """Make the call, and compare everything with what it should send and give."""
    requests = []

    def answer(request):
        requests.append(request)
        if case.answer is None:
            return httpx.Response(204)
        return httpx.Response(200, json=case.answer)

    async with AsyncSegments("key", base_url="https://x", transport=httpx.MockTransport(answer)) as client:
        result = await case.call(client)

    [request] = requests
    path = request.url.raw_path.decode().partition("?")[0]
    assert f"{request.method} {path}" == case.sends
    assert dict(request.url.params) == case.query
    assert len(request.url.params.multi_items()) == len(case.query)
    assert (orjson.loads(body_of(request)) if request.content else None) == case.body
    assert ("content-type" in request.headers) == (case.body is not None)
    assert request.headers["authorization"] == "APIKey key"
    assert shape_of(result) == case.gives


class Sent(Exception):  # noqa: N818 (it ends the call)
    """A request was sent."""


async def first_request(call):
    """Return the first request that a call sends."""
    requests = []

    def answer(request):
        requests.append(request)
        raise Sent

    once = RetryPolicy(attempts=1, bulk_attempts=1)
    transport = httpx.MockTransport(answer)
    async with AsyncSegments("key", base_url="https://x", transport=transport, retry=once) as client:
        with suppress(SegmentsError):
            await call(client)
    assert requests, "nothing was sent"
    return requests[0]
