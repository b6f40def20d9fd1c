"""The stream over a transport of asyncio loses nothing, keeps little, and raises what anyio's own raises."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import asynccontextmanager
from types import SimpleNamespace

import anyio
import pytest
from anyio.abc import SocketAttribute
from anyio.lowlevel import checkpoint
from waiting import until

from segments_async._http import network
from segments_async._http.asyncio_stream import AsyncioStream

pytestmark = pytest.mark.anyio
RESET = struct.pack("ii", 1, 0)
"""Linger for no time: closing resets the connection."""


@pytest.fixture
def anyio_backend():
    return "asyncio"


@asynccontextmanager
async def connected(before=b""):
    """A stream, and the socket at its other end."""

    class Holder:
        pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        holder = Holder()
        holder._stream = await anyio.connect_tcp("127.0.0.1", server.getsockname()[1])
        other, _ = server.accept()
        with other:
            if before:
                other.sendall(before)
                await anyio.sleep(0.02)
            network._watch_always(holder)
            assert type(holder._stream) is AsyncioStream
            try:
                yield holder._stream, other
            finally:
                await holder._stream.aclose()


async def read(stream, size, step=65536):
    data = b""
    while len(data) < size:
        data += await stream.receive(step)
    return data


@pytest.mark.parametrize("step", [1, 7, 65536])
async def test_all_arrives_in_order(step):
    content = bytes(range(256)) * 4
    async with connected(before=content[:100]) as (stream, other):
        other.sendall(content[100:])
        assert await read(stream, len(content), step) == content


async def test_a_flood_lets_other_tasks_run():
    """Between any two pieces but the first ones, though all of them have arrived."""
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    async with connected() as (stream, _), anyio.create_task_group() as group:
        stream.read_queue.extend([b"a"] * 10)
        group.start_soon(count)
        for _ in range(10):
            assert await stream.receive() == b"a"
        group.cancel_scope.cancel()
    assert turns >= 8


async def test_a_server_cannot_fill_the_memory():
    """What nobody reads stays in the socket, after two pieces at most."""
    content = bytes(20_000_000)
    async with connected() as (stream, other):
        other.sendall(b"a")
        assert await stream.receive() == b"a"  # it is watched now
        sending = threading.Thread(target=other.sendall, args=[content])
        sending.start()
        await until(lambda: not stream._transport.is_reading())
        for _ in range(20):
            await anyio.sleep(0.001)
        assert len(stream.read_queue) <= 2
        assert sending.is_alive()

        assert await read(stream, len(content)) == content
        await until(lambda: not sending.is_alive())


async def test_a_cancelled_reader_loses_nothing():
    received = []

    async def receive():
        received.append(await stream.receive())

    async with connected() as (stream, other):
        for number in range(20):
            async with anyio.create_task_group() as group:
                group.start_soon(receive)
                await anyio.wait_all_tasks_blocked()
                other.sendall(bytes([number]))
                group.cancel_scope.cancel()
        other.sendall(b"end")
        while not b"".join(received).endswith(b"end"):
            await receive()
    assert b"".join(received) == bytes(range(20)) + b"end"


async def test_end_of_the_stream():
    async with connected() as (stream, other):
        other.sendall(b"a")
        other.shutdown(socket.SHUT_WR)
        assert await stream.receive() == b"a"
        for _ in range(2):
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
        await stream.send(b"b")
        assert other.recv(10) == b"b"
        await stream.send_eof()
        assert other.recv(10) == b""


async def test_a_reset():
    async with connected() as (stream, other):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        other.close()
        for _ in range(2):
            with pytest.raises(anyio.BrokenResourceError):
                await stream.receive()
        with pytest.raises(anyio.BrokenResourceError):
            await stream.send(b"a")


async def test_closed_while_it_is_read():
    async with connected() as (stream, _), anyio.create_task_group() as group:
        group.start_soon(stream.aclose)
        with pytest.raises(anyio.ClosedResourceError):
            await stream.receive()
    with pytest.raises(anyio.ClosedResourceError):
        await stream.send(b"a")


async def test_writing_waits_for_the_reader():
    content = bytes(20_000_000)
    async with connected() as (stream, other):
        with anyio.move_on_after(0.05) as scope:
            await stream.send(content)
        assert scope.cancelled_caught
        received = other.recv(len(content))
        assert 0 < len(received) < len(content)


async def test_nothing_is_sent_after_a_cancellation():
    async with connected() as (stream, other):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.send(b"a")
        await stream.send(b"b")
        assert other.recv(10) == b"b"


async def test_attributes_are_those_of_anyio():
    async with connected() as (stream, other):
        assert stream.extra(SocketAttribute.remote_port) == other.getsockname()[1]


async def test_other_streams_stay():
    """Those of trio, and of a caller's own backend."""

    class Other:
        _stream = object()

    network._watch_always(other := Other())
    assert other._stream is Other._stream
    network._watch_always(object())


async def test_a_protocol_without_what_is_taken_over_stays():
    """As that of another version of anyio: then its stream is used as it is."""

    transport = SimpleNamespace(set_protocol=None, get_protocol=object)
    stream = SimpleNamespace(_transport=transport)
    network._watch_always(other := SimpleNamespace(_stream=stream))
    assert other._stream is stream
