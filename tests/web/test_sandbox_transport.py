"""The sandbox as a transport: the same service, and no connection."""

from __future__ import annotations

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
