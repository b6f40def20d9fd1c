"""The head and the body of a request are one write; a write that ends halfway leaves an ambiguous request."""

from __future__ import annotations

import threading
from functools import partial

import anyio
import httpx
import pytest
from waiting import until

from segments_async import OutcomeUnknownError, RetryPolicy
from segments_async._http import network
from segments_async._http.exchange import EXCHANGE, Exchange
from segments_async._http.network import WATCH_FROM_BYTES, WireStream
from segments_async._http.transport import SlotTransport

pytestmark = pytest.mark.anyio
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BODY = "x" * 20_000_000


@pytest.fixture
def writes(monkeypatch):
    """The sizes of what was written."""
    sizes = []
    for name in ("_write", "send"):
        write = getattr(WireStream, name)

        async def record(stream, buffer, *timeout, write=write):
            sizes.append(len(buffer))
            await write(stream, buffer, *timeout)

        monkeypatch.setattr(WireStream, name, record)
    return sizes


@pytest.fixture
def _long_writes(monkeypatch):
    """Join a head even with a body that does not fit the buffers of the sockets, so that the write blocks."""
    monkeypatch.setattr(network, "WATCH_FROM_BYTES", 2 * len(BODY))


@pytest.mark.parametrize(
    ("method", "body", "count"),
    [
        pytest.param("GET", None, 1, id="no-body"),
        pytest.param("POST", {}, 1, id="small"),
        pytest.param("POST", "x" * (WATCH_FROM_BYTES - 100), 1, id="nearly-large"),
        pytest.param("POST", "x" * WATCH_FROM_BYTES, 2, id="large"),
    ],
)
async def test_number_of_writes(open_client, sandbox, writes, method, body, count):
    """Only a body so large that copying it would cost more than a write is written apart."""
    sandbox.fail(method, "/user", times=None, status=200, body=b"{}")

    async with open_client() as client:
        for _ in range(2):
            await client.request(method, "/user", json=body)

    assert len(writes) == 2 * count


def half_read(arrived, closed):
    """Serve connections of which the first is read only in part, until it is closed."""

    def handle(connection):
        first = not arrived.is_set()
        received = connection.recv(1000)
        arrived.set()
        if first:
            closed.wait(10)
            return
        while received and not received.endswith(b'"'):
            received = connection.recv(1_000_000)
        connection.sendall(ANSWER)

    return handle


@pytest.mark.usefixtures("_long_writes")
async def test_cancelled_halfway(open_client, serving):
    """The connection is closed: what follows on it would be read as the rest of the body."""
    arrived, closed = threading.Event(), threading.Event()

    with serving(half_read(arrived, closed)) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", max_connections=1) as client:
            pool = client._session.pool.api._transport
            async with anyio.create_task_group() as group:
                group.start_soon(partial(client.request, "POST", "/issues/", json=BODY))
                await until(arrived.is_set)
                group.cancel_scope.cancel()
            assert (pool.connections, pool._free.value) == (0, 1)
            closed.set()

            assert await client.request("POST", "/issues/", json=BODY) == {}
            assert client.stats().connections_opened == 2


@pytest.mark.usefixtures("_long_writes")
async def test_timeout_halfway(open_client, serving):
    """What must not be sent twice is not: an unknown part of it has arrived."""
    arrived, closed = threading.Event(), threading.Event()

    with serving(half_read(arrived, closed)) as port:
        async with open_client(
            base_url=f"http://127.0.0.1:{port}", timeout=httpx.Timeout(5, write=0.3), retry=RetryPolicy(attempts=3)
        ) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.request("POST", "/issues/", json=BODY)
            assert client.stats().requests == 1
            assert client._session.pool.api._transport.connections == 0
            closed.set()


async def test_body_that_fails(serving):
    """Nothing was sent, not even the head, and the connection is closed."""
    received = []

    async def body():
        raise RuntimeError("no body")
        yield b""

    with serving(lambda connection: received.append(connection.recv(1000))) as port:
        pool = SlotTransport(1)
        async with httpx.AsyncClient(transport=pool) as client:
            exchange = Exchange()
            request = client.build_request("POST", f"http://127.0.0.1:{port}/", content=body())
            request.extensions[EXCHANGE] = exchange
            with pytest.raises(RuntimeError, match="no body"):
                await client.send(request)
            await until(lambda: received)

    assert received == [b""]
    assert exchange.sent is False
    assert pool.connections == 0
