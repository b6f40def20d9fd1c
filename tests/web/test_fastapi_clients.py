"""One client for each process and each start, and how routes get it."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import APIRouter, Depends, FastAPI, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.testclient import TestClient

from segments_async import AsyncSegments, ClientStateError, InputError
from segments_async.fastapi import InteractiveSegments, Segments, get_segments, interactive, lifespan


@pytest.fixture
def factory(sandbox):
    """Makes clients, and keeps them for the test to look at."""
    made = []

    def make():
        made.append(AsyncSegments(sandbox.api_key, base_url=sandbox.url))
        return made[-1]

    make.made = made
    return make


def open_app(factory, own=None):
    app = FastAPI(lifespan=lifespan(factory, own))

    @app.post("/datasets/{name}")
    async def create(name: str, client: Segments) -> str:
        return (await client.datasets.create(name)).full_name

    return app


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_every_start_makes_a_client(factory, backend):
    """Each test client starts the application again, in its own event loop."""
    app = open_app(factory)
    for number in range(3):
        with TestClient(app, backend=backend) as web:
            assert web.post(f"/datasets/flowers-{number}").json() == f"sandbox/flowers-{number}"
    assert len(factory.made) == 3
    for client in factory.made:
        with pytest.raises(ClientStateError, match="closed"):
            client._session.pool.check_open()


def test_all_requests_of_a_process_share_it(factory):
    with TestClient(open_app(factory)) as web:
        for number in range(5):
            web.post(f"/datasets/flowers-{number}")
        assert factory.made[0].stats().connections_opened == 1


def test_the_application_has_a_lifespan_of_its_own(factory):
    steps = []

    @asynccontextmanager
    async def own(app):
        await app.state.segments.datasets.create("own")  # the client is there first
        steps.append("start")
        yield {"table": "roses"}
        await app.state.segments.datasets.list()  # and goes last
        steps.append("stop")

    @asynccontextmanager
    async def of_router(app):
        steps.append("router")
        yield {"more": 7}

    app = open_app(factory, own)
    router = APIRouter(lifespan=of_router)

    @router.get("/state")
    async def state(request: Request, client: Segments) -> list:
        return [request.state.table, request.state.more, request.state.segments is client]

    app.include_router(router)
    with TestClient(app) as web:
        assert web.get("/state").json() == ["roses", 7, True]
    assert steps == ["start", "router", "stop"]
    assert app.state.segments is None


def test_a_start_that_fails_closes_the_client(factory):
    @asynccontextmanager
    async def own(app):
        raise OSError("no table")
        yield

    with pytest.raises(OSError, match="no table"), TestClient(open_app(factory, own)):
        pass
    with pytest.raises(ClientStateError):
        factory.made[0]._session.pool.check_open()


def test_without_a_key_it_does_not_start(monkeypatch):
    monkeypatch.delenv("SEGMENTS_API_KEY", raising=False)
    with pytest.raises(Exception, match="no API key"), TestClient(open_app(AsyncSegments)):
        pass


def test_a_client_instead_of_a_factory_is_refused(factory):
    """Otherwise a test client would fail much later, with an error about event loops."""
    with pytest.raises(InputError, match="factory: expected a function that creates a client"):
        lifespan(AsyncSegments("some-key"))
    with pytest.raises(InputError, match="expected it to return an AsyncSegments"), TestClient(open_app(lambda: 7)):
        pass


def test_an_application_that_was_not_started(factory):
    with pytest.raises(RuntimeError, match="in a `with` block"):
        TestClient(open_app(factory)).post("/datasets/flowers")


def test_overrides_are_honoured(factory, sandbox):
    """By whatever is handed out instead, also where it is refined."""
    asked = []

    class Fake:
        def with_options(self, **options):
            asked.append(options)
            return self

    app = FastAPI()

    @app.get("/plain")
    async def plain(client: Segments) -> str:
        return type(client).__name__

    @app.get("/quick")
    async def quick(client: InteractiveSegments) -> str:
        return type(client).__name__

    app.dependency_overrides[get_segments] = Fake
    web = TestClient(app)
    assert web.get("/plain").json() == "Fake"
    assert web.get("/quick").json() == "Fake"
    assert [options["max_wait"] for options in asked] == [1.0]


def test_a_client_for_each_account(factory, sandbox):
    """The caller's own key, over the connections of all."""
    app = FastAPI(lifespan=lifespan(factory))

    async def for_caller(client: Segments, x_account: Annotated[str, Header()]) -> AsyncSegments:
        return client.with_options(api_key=x_account)

    @app.get("/datasets")
    async def datasets(client: Annotated[AsyncSegments, Depends(for_caller)]) -> int:
        return len(await client.datasets.list())

    with TestClient(app) as web:
        assert web.get("/datasets", headers={"X-Account": sandbox.api_key}).json() == 0
        with pytest.raises(Exception, match="401"):
            web.get("/datasets", headers={"X-Account": "of-nobody"})
    assert [call.headers["authorization"] for call in sandbox.calls] == [
        f"APIKey {sandbox.api_key}",
        "APIKey of-nobody",
    ]
    assert len({call.peer_port for call in sandbox.calls}) == 1


def test_in_a_web_socket(factory):
    app = FastAPI(lifespan=lifespan(factory))

    @app.websocket("/ws")
    async def talk(socket: WebSocket, client: Segments) -> None:
        await socket.accept()
        await socket.send_json((await client.datasets.create("flowers")).full_name)
        await socket.close()

    with TestClient(app) as web, web.websocket_connect("/ws") as talking:
        assert talking.receive_json() == "sandbox/flowers"


def test_in_an_interactive_web_socket(factory):
    """Its route continues after a disconnect, as only the route can receive it."""
    app = FastAPI(lifespan=lifespan(factory))
    seen = []

    @app.websocket("/ws")
    async def talk(socket: WebSocket, client: InteractiveSegments) -> None:
        await socket.accept()
        await socket.send_json((await client.datasets.create("flowers")).full_name)
        with pytest.raises(WebSocketDisconnect):
            await socket.receive_text()
        seen.append(client._session.timeout.read)

    with TestClient(app) as web, web.websocket_connect("/ws") as talking:
        assert talking.receive_json() == "sandbox/flowers"
        talking.close()
    assert seen == [5.0]


def client_routes(app):
    @app.get("/count")
    async def count(client: Segments) -> int:
        return len(await client.datasets.list())

    @app.get("/quick")
    async def quick(client: InteractiveSegments) -> int:
        return len(await client.datasets.list())

    return app


@pytest.mark.asyncio
async def test_servers_and_test_clients_that_drop_the_state(factory):
    """Only `app.state.segments` is left, also for applications that are mounted."""
    app = client_routes(open_app(factory))
    app.mount("/inner", client_routes(FastAPI()))

    async def counts():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as web:
            paths = ("/count", "/quick", "/inner/count", "/inner/quick")
            return [(await web.get(path)).json() for path in paths]

    async with LifespanManager(app):
        assert await counts() == [0] * 4
    async with app.router.lifespan_context(app):
        assert await counts() == [0] * 4
    with pytest.raises(RuntimeError, match=r"app\.state\.segments"):
        await counts()
    async with factory() as client:  # without `lifespan`
        app.state.segments = client
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as web:
            assert (await web.get("/count")).json() == 0
            assert (await web.get("/inner/count")).json() == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("yields", [False, True])
async def test_a_server_without_a_state(factory, yields):
    """Starlette refuses a state there, so there is none unless the application's own lifespan yields one."""

    @asynccontextmanager
    async def own(app):
        yield {} if yields else None

    app = open_app(factory, own)
    sent, received = [], [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]

    async def receive():
        return received.pop()

    async def send(message):
        sent.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as web:
                assert (await web.post("/datasets/flowers")).json() == "sandbox/flowers"

    if yields:
        with pytest.raises(RuntimeError, match='"state"'):
            await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    else:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_interactive_is_impatient(factory):
    app = FastAPI(lifespan=lifespan(factory))
    seen = {}

    @app.get("/quick")
    async def quick(client: InteractiveSegments) -> None:
        seen["default"] = client

    @app.post("/quicker")
    async def quicker(client: Annotated[AsyncSegments, interactive(timeout=2, max_wait=0.5)], body: dict) -> dict:
        seen["own"] = client
        return body

    with TestClient(app) as web:
        assert web.get("/quick").status_code == 200
        assert web.post("/quicker", json={"a": 1}).json() == {"a": 1}
    assert seen["default"]._session.timeout.read == 5.0
    assert seen["own"]._session.timeout.read == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("error", [KeyError("k"), httpx.ReadError("r")])
def test_what_an_interactive_route_raises_comes_out_bare(factory, error, backend):
    """No group of exceptions around it, so that handlers of exceptions find it."""
    app = FastAPI(lifespan=lifespan(factory))

    @app.get("/quick")
    async def quick(client: InteractiveSegments) -> None:
        raise error

    with TestClient(app, backend=backend) as web, pytest.raises(type(error)):
        web.get("/quick")


APPLICATION = """
import os
from fastapi import FastAPI
from segments_async import AsyncSegments
from segments_async.fastapi import Segments, lifespan

app = FastAPI(lifespan=lifespan(AsyncSegments))

@app.post("/datasets/{name}")
async def create(name: str, client: Segments) -> dict:
    return {"name": (await client.datasets.create(name)).full_name, "process": os.getpid()}
"""

FORKED = """
import os, signal, socket, sys
import uvicorn
from application import app  # in the parent, as a server that preloads does

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)).run(sockets=[listener])
        os._exit(0)
    children.append(child)
signal.signal(signal.SIGTERM, lambda *_: [os.kill(child, signal.SIGTERM) for child in children])
ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
sys.exit(any(end not in (0, -signal.SIGTERM) for end in ends))  # uvicorn ends by the signal that it was sent
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["workers", "fork"])
def test_several_processes(sandbox, tmp_path, until, way):
    """Each has a client of its own: under uvicorn's workers, and where the application was loaded before a fork."""
    (tmp_path / "application.py").write_text(APPLICATION)
    (tmp_path / "forked.py").write_text(textwrap.dedent(FORKED))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    workers = ["-m", "uvicorn", "application:app", "--workers", "2", "--port", str(port), "--log-level", "warning"]
    command = [sys.executable, *(workers if way == "workers" else ["forked.py", str(port)])]
    environment = {**os.environ, "SEGMENTS_API_URL": sandbox.url, "SEGMENTS_API_KEY": sandbox.api_key}
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    processes, number = set(), 0

    def both_answer():
        nonlocal number
        number += 1
        try:  # a new connection each time, so that either process may take it
            answer = httpx.post(f"http://127.0.0.1:{port}/datasets/f{number}", trust_env=False, timeout=10)
        except httpx.ConnectError:
            return False
        assert answer.status_code == 200, answer.text
        assert answer.json()["name"] == f"sandbox/f{number}"
        processes.add(answer.json()["process"])
        return len(processes) == 2

    try:
        until(both_answer)
    finally:
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=20)
    assert server.returncode == 0, errors
    assert "Traceback" not in errors
    assert len({call.peer_port for call in sandbox.calls}) == 2
