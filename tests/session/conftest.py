from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import anyio
import pytest
from attrs import define

from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox

BOX = {
    "format_version": "0.1",
    "annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}],
}
IMAGE = {"image": {"url": "https://example.com/violet.jpg"}}


@define
class World:
    """A dataset ``sandbox/flowers`` with one labelled sample, and a client whose waits cost no time."""

    sandbox: Sandbox
    client: AsyncSegments
    clock: Any
    uuid: str
    dataset: str = "sandbox/flowers"
    folder: Any = None
    """Where tests of downloads write."""

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Method and path of the requests since the beginning of the test."""
        return [(call.method, call.path) for call in self.sandbox.calls]


@pytest.fixture
def open_client(sandbox: Sandbox, clock: Any) -> Callable[..., AsyncSegments]:
    """Make clients of the sandbox that take the test's clock and whatever else a test names."""

    def connect(**options: Any) -> AsyncSegments:
        return AsyncSegments(sandbox.api_key, **{"base_url": sandbox.url, "clock": clock.settings, **options})

    return connect


@pytest.fixture
async def world(sandbox: Sandbox, patient: AsyncSegments, clock: Any) -> World:
    await patient.datasets.create("flowers", task_type="vector")
    sample = await patient.samples.create("sandbox/flowers", "violet", IMAGE)
    await patient.labels.put(sample.uuid, "ground-truth", BOX)
    sandbox.clear_calls()
    return World(sandbox, patient, clock, sample.uuid)


@pytest.fixture
def closed_port() -> int:
    """A port of this machine without a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _serving(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            handle(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def serving() -> Callable[[Callable[[socket.socket], None]], AbstractContextManager[int]]:
    """``with serving(handle) as port``: a server that hands each connection to *handle*, in a thread of its own."""
    return _serving


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's proxies and keys out of the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SEGMENTS_API_KEY", "SEGMENTS_API_URL"):
        monkeypatch.delenv(name, raising=False)


async def _several(count: int, work: Callable[[int], Any]) -> list[Any]:
    results: list[Any] = [None] * count

    async def one(index: int) -> None:
        results[index] = await work(index)

    async with anyio.create_task_group() as group:
        for index in range(count):
            group.start_soon(one, index)
    return results


@pytest.fixture
def together() -> Callable[[int, Callable[[int], Any]], Any]:
    """``await together(50, work)``: run ``work(0)`` to ``work(49)`` at the same time, and give their results."""
    return _several


@pytest.fixture(params=["asyncio", "trio", "aiohttp"])
def way(request):
    """Each event loop, and the other transport; a module that runs on all takes its `anyio_backend` from it."""
    return request.param


@pytest.fixture
def options(way):
    return {"transport": "aiohttp"} if way == "aiohttp" else {}
