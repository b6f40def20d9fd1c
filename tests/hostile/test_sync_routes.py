"""Sync routes of FastAPI occupy all threads of anyio while they wait for a client, which has its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio.from_thread
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from raw_server import RawServer, answer, head

from segments_async import AsyncSegments
from segments_async.fastapi import Segments, lifespan

ROUTES = 45
"""More than the 40 threads that anyio has."""
LARGE = "a" * 600_000
"""Makes an answer so large that it is parsed in a thread."""
RELEASE = b'{"name": "v1"}'


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Run uvicorn in a thread; gives its URL. A blocked application is abandoned."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(5)
    assert not thread.is_alive()


def service(peer, request):
    """An API and a storage host in one, a little slow."""
    peer.pause(0.05)
    url = f"{peer.server_url}/file"
    match request.method, request.path:
        case "POST", "/assets/":
            peer.send(answer({"url": url, "presignedPostFields": {"url": url, "fields": {}}}, 201))
        case "POST", "/file":
            peer.send(head(204))
        case "GET", "/file":
            peer.send(answer(RELEASE))
        case "GET", path if "/releases/" in path:
            peer.send(answer({"name": "v1", "status": "SUCCEEDED", "attributes": {"url": url}}))
        case "GET", path if path.endswith("/samples/"):
            peer.send(answer([{"uuid": "u", "name": "a", "metadata": {"text": LARGE}, "attributes": {}}]))
        case _:
            peer.send(answer({"label_type": "vector", "attributes": {"annotations": []}, "text": LARGE}))


@pytest.mark.parametrize("kind", ["upload", "download", "list", "label", "https"])
def test_routes(tmp_path, authority, monkeypatch, kind):
    """All are answered, and so is a route that has nothing to do with the client."""
    authority.write_to(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    file = tmp_path / "a.png"
    file.write_bytes(b"png" * 1000)

    async def work(client, number):
        match kind:
            case "upload":
                await client.assets.upload(file)
            case "download":
                await client.releases.download("jane/flowers", "v1", tmp_path / f"{number}.json")
            case "list":
                assert len(await client.samples.list("jane/flowers")) == 1
            case _:
                await client.labels.get("u", "gt")

    def script(peer, request):
        peer.server_url = api.url
        service(peer, request)

    with RawServer(script, context=authority.context() if kind == "https" else None) as api:
        app = FastAPI(lifespan=lifespan(lambda: AsyncSegments("some-key-123", base_url=api.url)))

        @app.get("/turn/{number}")
        def route(number: int, client: Segments) -> int:
            anyio.from_thread.run(work, client, number)
            return number

        @app.get("/health")
        def health() -> str:
            return "ok"

        with (
            serving(app) as url,
            httpx.Client(base_url=url, timeout=8, limits=httpx.Limits(max_connections=None)) as web,
        ):
            with ThreadPoolExecutor(ROUTES + 1) as pool:
                answers = list(pool.map(lambda number: web.get(f"/turn/{number}").status_code, range(ROUTES)))
            assert answers == [200] * ROUTES
            assert web.get("/health").json() == "ok"
