"""Callers that disconnect: their calls are cancelled, and later callers are not affected."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Form, Response

from segments_async import AsyncSegments
from segments_async.fastapi import InteractiveSegments, add_error_handlers, interactive, lifespan

ABORTED = 1000
FORM = b"Content-Type: application/x-www-form-urlencoded"


class Counts:
    started = cancelled = ended = 0


@pytest.fixture
def counts():
    return Counts()


@pytest.fixture
def app(sandbox, counts):
    app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url, max_connections=16)))

    async def look(client):
        counts.started += 1
        try:
            return (await client.datasets.get("sandbox/flowers")).name
        except asyncio.CancelledError:
            counts.cancelled += 1
            raise
        finally:
            counts.ended += 1

    @app.get("/")
    async def get(client: InteractiveSegments) -> str:
        return await look(client)

    @app.post("/json")
    async def post(client: InteractiveSegments, body: dict) -> dict:
        await look(client)
        return body

    @app.post("/form")
    async def form(client: InteractiveSegments, word: Annotated[str, Form()]) -> str:
        await look(client)
        return word

    @app.get("/soon")
    async def soon(client: Annotated[AsyncSegments, interactive(timeout=30, max_wait=0.5)]) -> str:
        return await look(client)

    @app.get("/raw")
    async def raw(client: InteractiveSegments) -> Response:
        return Response(await look(client))

    return app


@pytest.fixture
def flowers(sandbox):
    headers = {"Authorization": f"APIKey {sandbox.api_key}"}
    httpx.post(f"{sandbox.url}/user/datasets/", json={"name": "flowers"}, headers=headers, trust_env=False)


async def _hang_up(port, request):
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.transport.abort()


@pytest.mark.slow
@pytest.mark.usefixtures("flowers")
def test_a_thousand_hang_up(serving, sandbox, app, counts, until):
    """50 at a time; afterwards the pool is intact and serves all."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    async def storm(port):
        free = asyncio.Semaphore(50)

        async def one():
            async with free:
                await _hang_up(port, request)

        await asyncio.gather(*(one() for _ in range(ABORTED)))

    with serving(app) as port:
        sandbox.latency = 5  # so that all hang up before their answer, on a busy machine too
        asyncio.run(storm(port))
        until(lambda: counts.started == counts.ended)
        client = app.state.segments
        assert counts.cancelled > 0.9 * ABORTED
        until(lambda: client.stats().in_flight == 0 and client.stats().waiting == 0)
        sandbox.latency = 0.0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:
            assert [web.get("/").json() for _ in range(100)] == ["flowers"] * 100
        assert client.stats().limit == 16


@pytest.mark.usefixtures("flowers")
@pytest.mark.parametrize("middleware", [False, True])
def test_each_kind_of_body(serving, sandbox, app, counts, until, middleware):
    """A disconnect cancels the call, whatever body was sent; without one, all are answered."""
    if middleware:  # it wraps the route

        @app.middleware("http")
        async def between(request, call_next):
            return await call_next(request)

    requests = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b'POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}',
        b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n%s\r\n\r\nword=a" % FORM,
    ]
    with serving(app) as port:
        sandbox.latency = 5
        for number, request in enumerate(requests, 1):
            asyncio.run(_hang_up(port, request))
            until(lambda: counts.cancelled == number)  # noqa: B023 (called at once)
        sandbox.latency = 0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:
            assert web.post("/json", json={"a": 1}).json() == {"a": 1}
            assert web.post("/form", data={"word": "a"}).json() == "a"
            assert web.get("/raw").text == "flowers"
        assert counts.cancelled == 3


@pytest.mark.usefixtures("flowers")
def test_a_full_gate_raises_soon(serving, sandbox, app):
    """No call waits longer than `max_wait` for its turn: the others get an error while the service is slow."""
    sandbox.latency = 3

    async def crowd(port):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as web:
            started = asyncio.get_running_loop().time()

            async def one():
                response = await web.get("/soon")
                return response.status_code, asyncio.get_running_loop().time() - started

            return await asyncio.gather(*(one() for _ in range(24)))

    add_error_handlers(app)
    with serving(app) as port:
        results = asyncio.run(crowd(port))
    statuses = [status for status, _ in results]
    assert sorted(statuses) == [200] * 16 + [504] * 8
    assert max(seconds for status, seconds in results if status == 504) < min(
        seconds for status, seconds in results if status == 200
    )
