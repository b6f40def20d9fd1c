"""A route whose client waits answers 504 in time, whatever the service does."""

from __future__ import annotations

import itertools
import time
from typing import Annotated

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from raw_server import RawServer, answer, head
from wires import KEY

from segments_async import AsyncSegments, RetryPolicy
from segments_async.fastapi import InteractiveSegments, add_error_handlers, interactive, lifespan

SLOW = {
    "silence": lambda peer: peer.stall(),
    "body": lambda peer: (peer.send(answer(b"", length=10_000)), peer.drip(itertools.repeat(32))),
    "100 Continue": lambda peer: peer.repeat(head("100 Continue")),
    "headers": lambda peer: (peer.send(b"HTTP/1.1 200 OK\r\n"), peer.repeat(b"X-Slow: a\r\n")),
}
Quick = Annotated[AsyncSegments, interactive(timeout=0.3, max_wait=0.3, retry=RetryPolicy(attempts=2, total=0.5))]


def application(url, transport):
    app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(KEY, base_url=url, transport=transport)))
    add_error_handlers(app)

    @app.get("/quick")
    async def quick(client: Quick) -> str:
        return (await client.users.me()).username

    @app.get("/usual")
    async def usual(client: InteractiveSegments) -> str:
        return (await client.users.me()).username

    return app


@pytest.mark.parametrize(
    ("transport", "backend"),
    [(None, "asyncio"), (None, "trio"), ("aiohttp", "asyncio")],
    ids=["slots-asyncio", "slots-trio", "aiohttp"],
)
@pytest.mark.parametrize("slow", SLOW)
def test_gateway_timeout(transport, backend, slow):
    with (
        RawServer(lambda peer, _: SLOW[slow](peer), max_seconds=3) as api,
        TestClient(application(api.url, transport), backend=backend, raise_server_exceptions=False) as web,
    ):
        started = time.monotonic()
        answered = web.get("/quick")
        took = time.monotonic() - started

    assert answered.status_code == 504
    assert took < 2


@pytest.mark.slow
def test_usual_gateway_timeout():
    """With the limits that `InteractiveSegments` has."""
    with (
        RawServer(lambda peer, _: SLOW["body"](peer)) as api,
        TestClient(application(api.url, None), raise_server_exceptions=False) as web,
    ):
        started = time.monotonic()
        assert web.get("/usual").status_code == 504
        assert time.monotonic() - started < 8
