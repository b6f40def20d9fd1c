"""The sandbox as a transport: the same service, and no connection."""

from __future__ import annotations

import socket
import subprocess
import sys

import anyio
import httpx
import pytest
import respx

from segments_async import AsyncSegments, ConnectError, RequestTimeoutError, RetryPolicy, TransportError
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
async def direct(sandbox, anyio_backend):
    retry = RetryPolicy(attempts=1, bulk_attempts=1)
    transport = sandbox.transport()
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, transport=transport, retry=retry) as client:
        yield client


async def test_api_and_storage(sandbox, direct, tmp_path):
    """Everything goes through it: files, samples, pages, a release and its download."""
    await direct.datasets.create("flowers #1")
    report = await direct.samples.upload_files("sandbox/flowers #1", [(f"{n}.png", b"...") for n in range(60)])
    report.raise_if_failed()
    names = [sample.name async for sample in direct.samples.list("sandbox/flowers #1", per_page=20)]
    assert sorted(names) == sorted(f"{n}.png" for n in range(60))
    await direct.releases.create("sandbox/flowers #1", "v1")
    await direct.releases.wait("sandbox/flowers #1", "v1", poll=0.01)
    path = await direct.releases.download("sandbox/flowers #1", "v1", tmp_path / "v1.json")
    assert path.stat().st_size > 0
    assert {call.origin for call in sandbox.calls} == {"api", "storage"}
    assert {call.peer_port for call in sandbox.calls} == {0}


async def test_beside_respx(direct):
    """What replaces httpx's connections does not see it."""
    with respx.mock:
        assert (await direct.datasets.create("flowers")).name == "flowers"


@pytest.mark.parametrize("drop", ["before", "middle", "after"])
async def test_a_cut(sandbox, direct, drop):
    sandbox.fail("GET", "*", drop=drop)
    with pytest.raises(TransportError):
        await direct.datasets.list()
    assert await direct.datasets.list() == []


async def test_too_slow(sandbox, direct):
    sandbox.fail("GET", "*", status=None, delay=30)
    with pytest.raises(RequestTimeoutError):
        await direct.with_options(timeout=0.1).datasets.list()
    assert await direct.datasets.list() == []


async def test_a_cancelled_call(sandbox, direct):
    sandbox.fail("GET", "*", status=None, delay=30)
    with anyio.move_on_after(0.1) as scope:
        await direct.datasets.list()
    assert scope.cancelled_caught
    assert direct.stats().in_flight == 0


async def test_another_host(sandbox):
    """It goes to its sandbox, or nowhere."""
    async with httpx.AsyncClient(transport=sandbox.transport()) as web:
        with pytest.raises(httpx.ConnectError):
            await web.get("http://example.com/")
    async with AsyncSegments("k", base_url="http://example.com", transport=sandbox.transport()) as client:
        with pytest.raises(ConnectError):
            await client.datasets.list()


async def test_before_it_is_started(anyio_backend):
    with pytest.raises(RuntimeError, match="not started"):
        Sandbox().transport()


WITHOUT_SOCKETS = """
import asyncio
import sys
from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox

opened = []

async def main():
    sys.addaudithook(lambda event, _: opened.append(event) if event.startswith("socket.") else None)
    async with Sandbox(listen=False) as sandbox:
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, transport=sandbox.transport()) as client:
            await client.datasets.create("flowers")
            report = await client.samples.upload_files("sandbox/flowers", [("rose.png", b"...")])
            report.raise_if_failed()
            sandbox.fail("GET", "/user/datasets/", status=None, delay=0.05)
            assert len(await client.datasets.list()) == 1
            await client.releases.create("sandbox/flowers", "v1")
            await client.releases.wait("sandbox/flowers", "v1", poll=0.01)
        sandbox.reset()

asyncio.run(main())
assert opened == [], opened
print("done")
"""


def test_no_socket_at_all():
    done = subprocess.run([sys.executable, "-c", WITHOUT_SOCKETS], capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


async def test_blocked_sockets(anyio_backend, monkeypatch):
    """A guard such as pytest-socket raises where a socket is created; `transport` works nevertheless."""

    def blocked(*_, **__):
        raise RuntimeError("A test tried to use socket.socket.")

    monkeypatch.setattr(socket, "create_server", blocked)
    async with Sandbox() as sandbox:
        assert not sandbox.is_listening
        transport = sandbox.transport()
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, transport=transport) as client:
            assert (await client.datasets.create("flowers")).full_name == "sandbox/flowers"
        with pytest.raises(RuntimeError, match="cannot send webhooks"):
            sandbox.add_webhook("http://127.0.0.1:8000/")


def test_data_of_a_sandbox_without_sockets():
    with Sandbox(listen=False) as sandbox:
        assert (sandbox.url, sandbox.storage_url) == ("http://sandbox.invalid", "http://storage.sandbox.invalid")
        assert not sandbox.is_listening
    with Sandbox() as sandbox:
        assert sandbox.is_listening
