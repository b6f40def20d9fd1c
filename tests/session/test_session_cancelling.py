"""Cancelled calls: the pool stays whole, whatever a call was doing at that moment."""

from __future__ import annotations

import asyncio
import random
import threading
from functools import partial

import anyio
import httpx
import pytest
from waiting import cancel_once

from segments_async import Clock, RetryPolicy
from segments_async._http.transport import SlotTransport

CALLS = 2_000
AT_ONCE = 50
CONNECTIONS = 8
LONGEST = 0.03
"""Seconds until a call is cancelled, at most; some of them are faster."""


@pytest.fixture
def peak(monkeypatch):
    """The highest value that `SlotTransport.connections` had."""
    values = [0]

    def assign(transport, value):
        transport.__dict__["connections"] = value
        values.append(value)

    counter = property(lambda transport: transport.__dict__["connections"], assign)
    monkeypatch.setattr(SlotTransport, "connections", counter, raising=False)
    return lambda: max(values)


@pytest.fixture
async def client(open_client, sandbox, anyio_backend):
    async with open_client(max_connections=CONNECTIONS, retry=RetryPolicy(attempts=1)) as client:
        yield client


def pool_of(client) -> SlotTransport:
    return client._session.pool.api._transport


async def check_health(client, together, peak):
    """A full pool's worth of calls succeeds at once, and nothing is left behind."""
    pool = pool_of(client)
    assert pool._free.value == CONNECTIONS
    with anyio.fail_after(5):
        answers = await together(CONNECTIONS, lambda _: client.request("GET", "/user"))
    assert [answer["username"] for answer in answers] == ["sandbox"] * CONNECTIONS
    assert 0 < pool.connections <= peak() <= CONNECTIONS
    await client.aclose()
    assert (pool.connections, pool._free.value) == (0, CONNECTIONS)


@pytest.mark.slow
@pytest.mark.anyio
async def test_cancelled_scopes(client, sandbox, together, peak):
    chance = random.Random(7)
    sandbox.latency = 0.002
    finished = 0

    async def call(_):
        nonlocal finished
        patience = None if chance.random() < 0.1 else chance.random() * LONGEST
        with anyio.move_on_after(patience):
            await client.request("GET", "/user")
            finished += 1

    for _ in range(CALLS // AT_ONCE):
        await together(AT_ONCE, call)

    assert CALLS / 20 < finished < CALLS
    await check_health(client, together, peak)


@pytest.mark.anyio
async def test_cancelled_task_group(client, sandbox, together, peak):
    """One cancellation reaches calls that connect, wait for an answer and wait for their turn."""
    sandbox.latency = 0.01

    for round_ in range(20):
        async with anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(client.request, "GET", "/user")
            await anyio.sleep(0.002 * round_)
            group.cancel_scope.cancel()

    await check_health(client, together, peak)


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_cancelled_asyncio_tasks(client, sandbox, together, peak):
    """`Task.cancel` ignores shields: it may interrupt twice, also while a connection is being closed."""
    chance = random.Random(8)
    sandbox.latency = 0.002
    cancelled = 0

    for _ in range(CALLS // AT_ONCE):
        tasks = [asyncio.create_task(client.request("GET", "/user")) for _ in range(AT_ONCE)]
        for task in chance.sample(tasks, AT_ONCE):
            await asyncio.sleep(chance.random() * 0.0005)
            task.cancel()
            if chance.random() < 0.5:
                await asyncio.sleep(0)
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        cancelled += sum(isinstance(result, asyncio.CancelledError) for result in results)
        assert not [result for result in results if isinstance(result, Exception)]

    assert cancelled > CALLS / 10
    await check_health(client, together, peak)


@pytest.mark.anyio
async def test_cancelled_uploads(client, sandbox, together, tmp_path):
    """A request body that is being sent is abandoned without a warning, and its file is closed."""
    chance = random.Random(9)
    path = tmp_path / "large.png"
    path.write_bytes(bytes(2_000_000))

    async def upload(_):
        with anyio.move_on_after(chance.random() * 0.1):
            await client.assets.upload(path)

    for _ in range(5):
        await together(10, upload)

    pool = client._session.pool.storage._transport
    assert pool._free.value == CONNECTIONS
    assert len(await together(CONNECTIONS, lambda _: client.assets.upload(path))) == CONNECTIONS
    await client.aclose()
    assert pool.connections == 0


@pytest.mark.anyio
async def test_cancelled_handshake(serving):
    """A TLS handshake that is cancelled closes its socket at once, not when the garbage is collected."""
    closed = threading.Semaphore(0)

    def stay_silent(connection):
        while connection.recv(65536):
            pass
        closed.release()

    with serving(stay_silent) as port:
        pool = SlotTransport(2)
        async with httpx.AsyncClient(transport=pool) as client:
            for _ in range(3):
                with anyio.move_on_after(0.15) as scope:
                    await client.get(f"https://127.0.0.1:{port}/")
                assert scope.cancelled_caught
                assert await anyio.to_thread.run_sync(partial(closed.acquire, timeout=5))
        assert (pool.connections, pool._free.value) == (0, 2)


@pytest.mark.anyio
async def test_handshake_that_takes_too_long(serving, open_client):
    """The connect timeout covers it, and then nothing was sent."""

    def stay_silent(connection):
        while connection.recv(65536):
            pass

    with serving(stay_silent) as port:
        timeout = httpx.Timeout(5, connect=0.15)
        async with open_client(
            base_url=f"https://127.0.0.1:{port}", timeout=timeout, retry=RetryPolicy(attempts=1)
        ) as client:
            with pytest.raises(TimeoutError) as caught:
                await client.request("POST", "/user")

    assert not caught.value.sent


@pytest.mark.anyio
async def test_cancelled_wait_between_attempts(sandbox, open_client, anyio_backend):
    """The wait before a repeat is cut short too, with a real clock."""
    sandbox.fail("GET", "*", times=None, status=429, headers={"Retry-After": "30"})

    async with open_client(clock=Clock()) as client:
        assert await cancel_once(lambda: client.stats().throttled, partial(client.request, "GET", "/user"))

    assert len(sandbox.calls) == 1


@pytest.mark.anyio
async def test_cancelled_request_bodies(open_client, serving, together):
    """A body that the server is slow to take is left halfway, without a warning of trio's."""
    with serving(lambda connection: connection.recv(1) and anyio.run(anyio.sleep, 0.5)) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}") as client:

            async def call(number):
                with anyio.move_on_after(0.05 + number / 100) as scope:
                    await client.request("PUT", "/labels/u-1/ground-truth/", json="x" * 20_000_000)
                assert scope.cancelled_caught

            await together(3, call)
            assert pool_of(client).connections == 0
