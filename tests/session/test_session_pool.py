"""The pool: how many connections are open, which is used, and what happens when one has died."""

from __future__ import annotations

import random
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import httpx
import pytest
from waiting import until

from segments_async import ClientStateError
from segments_async._http import transport
from segments_async._http.transport import SlotTransport

pytestmark = pytest.mark.anyio


def pool_of(client) -> SlotTransport:
    return client._session.pool.api._transport


def ports(sandbox, origin="api"):
    return [call.peer_port for call in sandbox.calls if call.origin == origin]


@pytest.mark.slow
async def test_many_requests_over_few_connections(sandbox, open_client, together):
    async with open_client(max_connections=64) as client:

        async def work(_):
            for _ in range(2000 // 64):
                await client.request("GET", "/user")

        await together(64, work)
        assert pool_of(client).connections <= 64

    assert len(sandbox.calls) == 64 * (2000 // 64)
    assert len(set(ports(sandbox))) <= 64


async def test_one_connection_for_fifty_calls(sandbox, open_client, together):
    async with open_client(max_connections=1) as client:
        await together(50, lambda _: client.request("GET", "/user"))

    assert len(sandbox.calls) == 50
    assert len(set(ports(sandbox))) == 1


async def test_warmest_connection_is_taken(sandbox, open_client, together):
    """Last in, first out: after a burst, one connection is used and the others may go cold."""
    async with open_client() as client:
        sandbox.latency = 0.05
        await together(5, lambda _: client.request("GET", "/user"))
        sandbox.latency = 0
        sandbox.clear_calls()
        for _ in range(5):
            await client.request("GET", "/user")
        assert pool_of(client).connections == 5

    assert len(set(ports(sandbox))) == 1


async def test_cold_connections_are_closed(sandbox, open_client, together, monkeypatch):
    monkeypatch.setattr(transport, "IDLE_SECONDS", -1.0)  # a connection is cold as soon as it is idle
    async with open_client() as client:
        sandbox.latency = 0.05
        await together(5, lambda _: client.request("GET", "/user"))
        assert pool_of(client).connections == 5
        await client.request("GET", "/user")
        assert pool_of(client).connections == 1


async def test_connection_that_the_server_closed(open_client, serving, clock):
    """It is noticed before the next request is written, so nothing is sent twice."""
    served = []

    def answer_once(connection):
        served.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def closed_by_server(client):
        slots = [slot for stack in pool_of(client)._idle.values() for slot in stack]
        return all(slot.connection.has_expired() for slot in slots)

    with serving(answer_once) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", max_connections=1) as client:
            for _ in range(3):
                assert await client.request("POST", "/clone") == {}
                await until(lambda: closed_by_server(client))

    assert len(served) == 3
    assert clock.slept == []


async def test_answer_with_connection_close(sandbox, open_client, clock):
    sandbox.fail("GET", "*", times=None, status=200, body="{}", headers={"Connection": "close"})

    async with open_client(max_connections=1) as client:
        for _ in range(3):
            await client.request("GET", "/user")

    assert len(set(ports(sandbox))) == 3
    assert clock.slept == []


async def test_connections_to_both_hosts(sandbox, open_client, together):
    """API and storage have a pool each."""
    async with open_client(max_connections=4) as client:
        await together(40, lambda n: client.assets.upload(bytes(10), f"{n}.png"))

    assert len(sandbox.assets()) == 40
    for origin in ("api", "storage"):
        assert 1 <= len(set(ports(sandbox, origin))) <= 4


async def test_closing_leaves_the_others_to_end(sandbox, open_client, together):
    """Calls in flight end as usual; those that still wait for a connection raise that the client is closed."""
    fault = sandbox.fail("GET", "/user", status=None, delay=0.5, times=2)
    client = open_client(max_connections=2)
    pool = pool_of(client)

    async def call(number):
        if number == 4:
            await until(lambda: fault.hits == 2)
            await client.aclose()
            return "closed"
        try:
            return (await client.request("GET", "/user"))["username"]
        except ClientStateError as error:
            return str(error)

    late = "this AsyncSegments is closed; create a new one"
    assert sorted(await together(5, call)) == ["closed", "sandbox", "sandbox", late, late]
    assert (pool.connections, pool._free.value) == (0, 2)


async def test_bad_request_body_does_not_hurt_the_pool(open_client, together):
    """An error of the caller is raised unchanged, and its connection is discarded."""

    async def broken():
        yield b"a"
        raise LookupError

    pool = SlotTransport(1)
    async with httpx.AsyncClient(transport=pool) as client:
        for _ in range(3):
            with pytest.raises(LookupError):
                await client.post(open_client()._session.pool.base_url, content=broken())
        assert (pool.connections, pool._free.value) == (0, 1)


class Wire(httpx.AsyncBaseTransport):
    """Stands for one connection: open from its first request until it is closed, which takes a moment."""

    open = peak = 0

    def __init__(self, **_):
        self.is_open = False
        connection = SimpleNamespace(has_expired=lambda: False, is_closed=lambda: False)
        self._pool = SimpleNamespace(_network_backend=None, create_connection=lambda _: connection)

    async def handle_async_request(self, request):
        if not self.is_open:
            self.is_open = True
            Wire.open += 1
            Wire.peak = max(Wire.peak, Wire.open)
        await anyio.lowlevel.checkpoint()
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    async def aclose(self):
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        Wire.open -= self.is_open
        self.is_open = False


@pytest.mark.parametrize("idle_seconds", [30.0, -1.0], ids=["idle", "expired"])
async def test_bound_over_many_hosts(monkeypatch, together, idle_seconds):
    """Connections to other hosts make room, one for one, also while they are still being closed."""
    monkeypatch.setattr(transport.httpx, "AsyncHTTPTransport", Wire)
    monkeypatch.setattr(transport, "IDLE_SECONDS", idle_seconds)
    monkeypatch.setattr(Wire, "open", 0)
    monkeypatch.setattr(Wire, "peak", 0)
    chance = random.Random(3)
    pool = SlotTransport(5)
    async with httpx.AsyncClient(transport=pool) as client:

        async def work(_):
            for _ in range(40):
                await client.get(f"http://host-{chance.randrange(4)}.test/")
                if chance.random() < 0.3:
                    await anyio.lowlevel.checkpoint()

        await together(10, work)
        assert Wire.peak == 5
        assert pool.connections == Wire.open <= 5
    assert (pool.connections, Wire.open, pool._free.value) == (0, 0, 5)
