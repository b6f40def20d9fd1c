"""The lifecycle of a client: opened by its first call, closed once, one event loop, any transport."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import warnings

import anyio
import httpx
import pytest
import respx

from segments_async import AsyncSegments, ClientStateError, InputError, RateLimitError, RetryPolicy

FREE = AsyncSegments("key-of-the-module", base_url="http://127.0.0.1:9")
"""Made at import, before any event loop runs."""


@pytest.mark.anyio
async def test_call_before_entering(sandbox, open_client):
    client = open_client()
    assert (await client.request("GET", "/user"))["username"] == "sandbox"
    async with client:
        await client.request("GET", "/user")
    await client.aclose()

    assert len({call.peer_port for call in sandbox.calls}) == 1


@pytest.mark.anyio
async def test_use_after_close(sandbox, open_client):
    """Each call raises an error that says what to do; closing again does nothing."""
    client = open_client()
    await client.request("GET", "/user")
    await client.aclose()
    await client.aclose()

    calls = [
        lambda: client.request("GET", "/user"),
        lambda: client.datasets.get("jane/flowers"),
        lambda: client.datasets.list().first(),
        lambda: client.samples.create("jane/flowers", "a", {"image": {"url": "b"}}),
        lambda: client.assets.upload(b"png", "a.png"),
        client.__aenter__,
    ]
    for call in calls:
        with pytest.raises(ClientStateError, match=r"this AsyncSegments is closed; create a new one"):
            await call()
    assert len(sandbox.calls) == 1


@pytest.mark.anyio
async def test_close_without_a_call(open_client):
    async with open_client():
        pass
    await open_client().aclose()


@pytest.mark.anyio
async def test_close_while_cancelled(sandbox, open_client, together):
    """A cancellation does not keep connections open."""
    client = open_client()
    sandbox.latency = 0.02
    await together(4, lambda _: client.request("GET", "/user"))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await client.aclose()

    assert client._session.pool.api._transport.connections == 0


def test_close_while_a_task_is_cancelled(sandbox):
    """Not even asyncio's own cancellation, which knows no shield."""

    async def main():
        client = AsyncSegments(sandbox.api_key, base_url=sandbox.url)
        sandbox.latency = 0.05
        await asyncio.gather(*(client.request("GET", "/user") for _ in range(4)))
        sandbox.latency = 0
        await client.assets.upload(b"png", "a.png")
        task = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        pools = [client._session.pool.api._transport, client._session.pool.storage._transport]
        assert [pool.connections for pool in pools] == [0, 0]

    asyncio.run(main())


def test_second_event_loop(sandbox):
    """A client belongs to the loop of its first call, and every call in another loop raises that."""
    _use_in_several_loops(sandbox)
    with warnings.catch_warnings():  # asyncio.run left the connection behind
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _use_in_several_loops(sandbox):
    client = AsyncSegments(sandbox.api_key, base_url=sandbox.url)

    async def call():
        await client.request("GET", "/user")

    asyncio.run(call())
    for again in (call, client.aclose):
        with pytest.raises(ClientStateError, match="belongs to another event loop; create one in each loop"):
            asyncio.run(again())
    anyio.run(expect_state_error, call, backend="trio")


async def expect_state_error(call):
    with pytest.raises(ClientStateError):
        await call()


def test_second_event_loop_after_the_end(sandbox):
    """Closed in its own loop, it is simply closed in the next."""
    client = AsyncSegments(sandbox.api_key, base_url=sandbox.url)

    async def use():
        async with client:
            await client.request("GET", "/user")

    asyncio.run(use())
    with pytest.raises(ClientStateError, match="closed"):
        asyncio.run(use())
    asyncio.run(client.aclose())


def test_made_before_any_loop():
    """A client can be made without an event loop; its first call binds it to one."""
    code = """
        import sys, anyio
        from segments_async import AsyncSegments
        from segments_async.sandbox import Sandbox

        with Sandbox() as sandbox:
            client = AsyncSegments(sandbox.api_key, base_url=sandbox.url, max_connections=1)

            async def main():
                async with client, anyio.create_task_group() as group:
                    for _ in range(3):
                        group.start_soon(client.request, "GET", "/user")

            anyio.run(main, backend=sys.argv[1])
    """
    for backend in ("asyncio", "trio"):
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), backend]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")
    assert repr(FREE) == "<AsyncSegments http://127.0.0.1:9>"


@pytest.mark.anyio
async def test_client_of_the_user(sandbox, clock, tmp_path):
    """A given httpx client is not closed, and its headers and cookies are not sent, least of all to the storage."""
    theirs = httpx.AsyncClient(
        auth=("jane", "hunter2"),
        headers={"X-Theirs": "1", "User-Agent": "theirs"},
        cookies={"session": "theirs"},
        params={"theirs": "1"},
        base_url="https://theirs.test",
    )
    async with theirs:
        async with AsyncSegments(
            sandbox.api_key, base_url=sandbox.url, http_client=theirs, clock=clock.settings
        ) as client:
            await client.datasets.create("flowers")
            await client.assets.upload(b"png", "a.png")
            await client.releases.create("sandbox/flowers", "v1")
            await client.releases.download("sandbox/flowers", "v1", tmp_path / "v1.json")
        assert not theirs.is_closed
        with pytest.raises(ClientStateError):
            await client.request("GET", "/user")
        assert (await theirs.get(f"{sandbox.url}/user")).status_code == 403

    *ours, own = sandbox.calls
    assert len(ours) == 6
    assert "theirs" in repr(own)
    for call in ours:
        assert "theirs" not in repr(call).lower()
        assert "cookie" not in call.headers
        assert call.headers.get("authorization") == (f"APIKey {sandbox.api_key}" if call.origin == "api" else None)


@pytest.mark.anyio
async def test_client_of_the_user_that_is_closed(sandbox):
    theirs = httpx.AsyncClient()
    await theirs.aclose()

    with pytest.raises(ClientStateError, match="http_client"):
        await AsyncSegments(sandbox.api_key, base_url=sandbox.url, http_client=theirs).request("GET", "/user")


@pytest.mark.anyio
async def test_transport_of_the_user(clock):
    """It gets our requests as they are, and is closed with the client, as httpx does it."""
    seen = []

    class Transport(httpx.MockTransport):
        closed = False

        async def aclose(self):
            self.closed = True

    def answer(request):
        seen.append(request)
        return httpx.Response(429 if len(seen) == 1 else 200, json={"username": "jane"})

    transport = Transport(answer)
    async with AsyncSegments("some-key", transport=transport, clock=clock.settings) as client:
        assert await client.request("POST", "/user", json={"a": 1}) == {"username": "jane"}

    assert transport.closed
    assert [str(request.url) for request in seen] == ["https://api.segments.ai/user"] * 2
    assert [request.content for request in seen] == [b'{"a":1}'] * 2
    assert seen[0].headers["content-length"] == "7"
    assert clock.slept == [0.125]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"transport": "requests"}, "transport"),
        ({"transport": httpx.HTTPTransport()}, "transport"),
        ({"http_client": httpx.Client()}, "http_client"),
        ({"http_client": "aiohttp"}, "http_client"),
        ({"transport": "aiohttp", "http_client": httpx.AsyncClient()}, "http_client"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": 1.5}, "max_connections"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"retry": 3}, "retry"),
    ],
)
def test_invalid_argument(options, path):
    with pytest.raises(InputError) as caught:
        AsyncSegments("some-key", **options)

    assert caught.value.path == path


@pytest.mark.anyio
@respx.mock(base_url="https://api.segments.ai")
async def test_respx(respx_mock, clock):
    """The client as it comes is visible to respx: the user's own tests need no transport."""
    route = respx_mock.put("/labels/u-1/ground-truth/")
    label = {"label_type": "ground-truth", "attributes": {"annotations": []}, "score": 0.5}
    route.side_effect = [httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(200, json=label)]

    async with AsyncSegments("some-key", clock=clock.settings) as client:
        put = await client.labels.put("u-1", "ground-truth", {"annotations": []}, score=0.5)

    assert put.score == 0.5
    assert clock.slept == [pytest.approx(7.0 * 1.025)]
    assert route.call_count == 2
    assert route.calls.last.request.content == (
        b'{"attributes":{"annotations":[]},"label_status":"PRELABELED","score":0.5}'
    )
    assert route.calls.last.request.headers["authorization"] == "APIKey some-key"


@pytest.mark.anyio
async def test_respx_side_effects(clock):
    """Its errors are ours."""
    with respx.mock(base_url="https://api.segments.ai") as router:
        router.get("/user").mock(return_value=httpx.Response(429, headers={"Retry-After": "90"}))
        async with AsyncSegments("some-key", retry=RetryPolicy(attempts=2), clock=clock.settings) as client:
            with pytest.raises(RateLimitError):
                await client.request("GET", "/user")
