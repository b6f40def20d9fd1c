"""Webhooks are handled at least once, and not again after they were done: by routes, handlers and killed servers."""

import asyncio
import functools
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated

import httpx
import pytest
import redis
from asgi_lifespan import LifespanManager
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from hypothesis import given, settings, strategies as st

from segments_async import InputError
from segments_async.fastapi import WebhookRouter, add_error_handlers, verified_webhook
from segments_async.webhooks import (
    Claim,
    RedisReplayGuard,
    ReplayGuard,
    SampleCreated,
    SqliteReplayGuard,
    WebhookEvent,
    sign,
)

SECRET = "whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM"
OTHER = "whsec_FYXIoW6G1POSnxv74vrMiuMf7s4Qi4eS"
THIRD = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
BODY = b'{"event_type": "sample.created", "dataset": "jane/flowers"}'


class AsyncStore:
    """A store whose methods are async."""

    def __init__(self):
        self.guard = ReplayGuard()

    async def claim(self, name):
        return self.guard.claim(name)

    async def finish(self, name):
        self.guard.finish(name)

    async def release(self, name):
        self.guard.release(name)


@pytest.fixture(params=["memory", "sqlite", "async"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return SqliteReplayGuard(tmp_path / "webhooks.db")
    return ReplayGuard() if request.param == "memory" else AsyncStore()


def client_of(router):
    app = FastAPI()
    app.include_router(router, prefix="/hooks")
    return TestClient(app, raise_server_exceptions=False)


def deliver(web, count=1, name="msg_1", path="/hooks"):
    headers = sign(BODY, SECRET, message_id=name)
    return [int(web.post(path, content=BODY, headers=headers).status_code) for _ in range(count)]


OUTCOMES = {
    "returns": (204, lambda: None),
    "returns a response": (204, lambda: Response("ok", 202)),
    "raises": (500, lambda: 1 / 0),
    "refuses": (418, lambda: (_ for _ in ()).throw(HTTPException(418))),
    "raises a success": (204, lambda: (_ for _ in ()).throw(HTTPException(202))),
    "returns an error": (503, lambda: JSONResponse({"error": "database is down"}, 503)),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_handler_runs_until_it_has_succeeded(store, outcome, asynchronous):
    status, first = OUTCOMES[outcome]
    hooks, runs = WebhookRouter(SECRET, replay=store), []

    def handle(event):
        runs.append(event)
        return first() if len(runs) == 1 else None

    async def handle_async(event):
        return handle(event)

    hooks.on(SampleCreated)(handle_async if asynchronous else handle)
    again = [204, 200] if status >= 400 else [200, 200]
    assert deliver(client_of(hooks), 3) == [status, *again]
    assert len(runs) == (2 if status >= 400 else 1)


ROUTES = {
    "raises": lambda response: 1 / 0,
    "refuses": lambda response: (_ for _ in ()).throw(HTTPException(503)),
    "returns an error": lambda response: JSONResponse({"error": "database is down"}, 503),
    "sets a status": lambda response: setattr(response, "status_code", 503),
    "returns what does not fit": lambda response: "x",
}


@pytest.mark.parametrize("outcome", ROUTES)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("middleware", [False, True])
@pytest.mark.parametrize("scope", ["request", "function"])
def test_a_route_of_its_own_runs_until_it_has_succeeded(store, outcome, asynchronous, middleware, scope):
    """What it returns counts as much as what it raises."""
    hook = Annotated[WebhookEvent, Depends(verified_webhook(SECRET, replay=store), scope=scope)]
    app, runs = FastAPI(), []
    if middleware:

        @app.middleware("http")
        async def between(request, call_next):
            return await call_next(request)

    def handle(event: hook, response: Response) -> int | None:
        runs.append(event)
        return ROUTES[outcome](response) if len(runs) == 1 else 1

    async def handle_async(event: hook, response: Response) -> int | None:
        return handle(event, response)

    app.post("/hooks")(handle_async if asynchronous else handle)
    with TestClient(app, raise_server_exceptions=False) as web:
        first, *others = deliver(web, 3)
    assert first in {500, 503}
    assert others == [200, 200]
    assert len(runs) == 2


def test_a_message_in_hand_is_delivered_again(until):
    """409 while it is, in case the other one fails."""
    hooks, started, go = WebhookRouter(SECRET, replay=ReplayGuard()), threading.Event(), threading.Event()

    @hooks.on(SampleCreated)
    def handle(event):
        started.set()
        go.wait(20)

    with client_of(hooks) as web:
        first = threading.Thread(target=deliver, args=(web,))
        first.start()
        assert started.wait(20)
        assert deliver(web, 2) == [409, 409]
        go.set()
        first.join()
        assert deliver(web) == [200]


@settings(max_examples=30)
@given(failures=st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_several_handlers(failures):
    """Each runs until it has succeeded, once; the answer is 204 when the last one has."""
    hooks, runs, done = WebhookRouter(SECRET, replay=ReplayGuard()), [0] * len(failures), [0] * len(failures)

    def add(number):
        def handle(event):
            runs[number] += 1
            if runs[number] <= failures[number]:
                raise ValueError(number)
            done[number] += 1

        hooks.on(WebhookEvent)(handle)

    for number in range(len(failures)):
        add(number)
    statuses = deliver(client_of(hooks), max(failures) + 2)
    assert statuses == [500] * max(failures) + [204, 200]
    assert runs == [count + 1 for count in failures]
    assert done == [1] * len(failures)


def test_handlers_that_change_between_deliveries(store):
    """As in a new version of the application: what has succeeded does not run again."""
    runs = []

    def first(event):
        runs.append("first")

    def second(event):
        runs.append("second")
        if runs.count("second") == 1:
            raise ValueError

    def router(*handlers):
        hooks = WebhookRouter(SECRET, replay=store)
        for handler in handlers:
            hooks.on(SampleCreated)(handler)
        return client_of(hooks)

    assert deliver(router(first, second)) == [500]
    assert deliver(router(first)) == [204]
    assert runs == ["first", "second"]
    assert deliver(router(second), name="msg_2") == [204]
    assert deliver(router(first, second)) == [200]
    assert runs == ["first", "second", "second"]


class ShortLease:
    """A store whose leases expire when the test says so, which is after more than `lease`."""

    lease = 0.001

    def __init__(self, store):
        self.claim, self.finish, self.release = store.claim, store.finish, store.release


def make_expiring(kind, folder, request):
    """Return a store, and a function that lets its leases expire."""
    now = [1_000_000.0]

    def expire():
        now[0] += 600

    if kind == "memory":
        return ShortLease(ReplayGuard(clock=lambda: now[0])), expire
    if kind == "sqlite":
        return ShortLease(SqliteReplayGuard(folder / "webhooks.db", clock=lambda: now[0])), expire
    url = request.getfixturevalue("redis_url")
    client = redis.Redis.from_url(url)
    request.addfinalizer(client.close)

    def expire_keys():  # its time cannot be set
        client.delete(*client.keys(f"{folder}:*"))

    return ShortLease(RedisReplayGuard(url, prefix=f"{folder}:")), expire_keys


@pytest.mark.parametrize("route", [False, True])
@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_a_lease_that_was_outlived_is_not_released(tmp_path, kind, route, until, request):
    """The failure of a handler that took too long leaves the message to the delivery that took it over."""
    runs = []
    store, expire = make_expiring(kind, tmp_path, request)
    go = [threading.Event(), threading.Event()]

    def handle(event):
        runs.append(event)
        run = len(runs)
        assert go[run - 1].wait(20)
        assert run != 1

    app = FastAPI()
    if route:
        hook = Annotated[WebhookEvent, Depends(verified_webhook(SECRET, replay=store))]

        @app.post("/hooks", status_code=204)
        def receive(event: hook) -> None:
            handle(event)

    else:
        hooks = WebhookRouter(SECRET, replay=store)
        hooks.on(SampleCreated)(handle)
        app.include_router(hooks, prefix="/hooks")
    with TestClient(app, raise_server_exceptions=False) as web, ThreadPoolExecutor(2) as pool:
        first = pool.submit(deliver, web)
        until(lambda: len(runs) == 1)
        assert deliver(web) == [409]
        expire()
        second = pool.submit(deliver, web)
        until(lambda: len(runs) == 2)
        time.sleep(2 * ShortLease.lease)
        go[0].set()
        assert first.result(20) == [500]
        assert deliver(web) == [409]
        go[1].set()
        assert second.result(20) == [204]
        assert deliver(web) == [200]
    assert len(runs) == 2


@pytest.mark.parametrize("lease", [None, "long", lambda: 1])
def test_a_store_with_a_lease_of_its_own(lease):
    """Whatever else the name means there, what failed is released."""
    store = AsyncStore()
    store.lease = lease
    hooks, runs = WebhookRouter(SECRET, replay=store), []

    @hooks.on(SampleCreated)
    def handle(event):
        runs.append(event)
        assert len(runs) == 2

    assert deliver(client_of(hooks), 3) == [500, 204, 200]


def test_without_a_store_each_delivery_is_processed():
    hooks, runs = WebhookRouter(SECRET), []
    hooks.on(SampleCreated)(runs.append)
    assert deliver(client_of(hooks), 3) == [204] * 3
    assert len(runs) == 3


@pytest.mark.parametrize("mounted", [False, True])
@pytest.mark.parametrize(
    ("path", "own_prefix", "prefix", "url"),
    [
        ("", "", "/hooks", "/hooks"),
        ("/", "", "/hooks", "/hooks"),
        ("/", "/hooks", "", "/hooks"),
        ("", "/hooks", "/v1", "/v1/hooks"),
        ("/in", "", "/hooks", "/hooks/in"),
        ("/in/", "", "/hooks", "/hooks/in"),
        ("/in/", "", "", "/in"),
        ("/in/{tenant}/", "", "/hooks", "/hooks/in/jane"),
        ("/", "", "", ""),
    ],
)
def test_a_trailing_slash_is_not_redirected(path, own_prefix, prefix, url, mounted):
    """A redirect is a failure for the sender, so both spellings are answered, and nothing else."""
    hooks, runs = WebhookRouter(SECRET, path=path, prefix=own_prefix), []
    hooks.on(SampleCreated)(runs.append)
    app = FastAPI()
    app.include_router(hooks, prefix=prefix)
    assert [name for name in app.openapi()["paths"] if "slash" in name] == []
    if mounted:
        outer = FastAPI()
        outer.mount("/site", app)
        app, url = outer, f"/site{url}"
    web = TestClient(app, follow_redirects=False)
    spellings = [f"{url}/"] if url in {"", "/site"} else [url, f"{url}/"]
    assert [deliver(web, path=spelling) for spelling in spellings] == [[204]] * len(spellings)
    assert len(runs) == len(spellings)
    assert web.post(f"{url}/other", content=BODY).status_code == 404


class BrokenStore(AsyncStore):
    """A store that fails at some of its methods."""

    def __init__(self, *methods):
        super().__init__()
        self.methods = methods

    def _check(self, name):
        if name in self.methods:
            raise OSError("the disk is full")

    async def claim(self, name):
        self._check("claim")
        return await super().claim(name)

    async def finish(self, name):
        self._check("finish")
        await super().finish(name)

    async def release(self, name):
        self._check("release")
        await super().release(name)


def test_a_store_that_fails(caplog):
    """What cannot be leased does not run; what ran and cannot be marked is not an error of the sender."""
    runs = []
    for method, statuses, count in [("claim", [500, 500], 0), ("finish", [204, 409], 1), ("release", [204, 200], 1)]:
        runs.clear()
        hooks = WebhookRouter(SECRET, replay=BrokenStore(method))
        hooks.on(SampleCreated)(runs.append)
        assert deliver(client_of(hooks), 2) == statuses
        assert len(runs) == count
    assert "the replay store failed" in caplog.text


class Waiting:
    """A store that waits, as for a database."""

    def __init__(self):
        super().__init__()
        self.inside, self.go = threading.Event(), threading.Event()

    def claim(self, name):
        self.inside.set()
        self.go.wait(20)
        return Claim.NEW

    def finish(self, name): ...

    def release(self, name): ...


class WaitingGuard(Waiting, ReplayGuard):
    """Such as one that also counts its claims in a database."""


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [Waiting, WaitingGuard])
async def test_a_slow_store_stops_no_other_route(kind):
    """A sync store waits in a thread."""
    store = kind()
    inside, go = store.inside, store.go
    app = FastAPI()
    app.include_router(WebhookRouter(SECRET, replay=store), prefix="/hooks")
    app.get("/health")(lambda: "ok")
    async with (
        LifespanManager(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as web,
    ):
        request = asyncio.create_task(web.post("/hooks", content=BODY, headers=sign(BODY, SECRET)))
        await asyncio.to_thread(inside.wait, 20)
        assert (await web.get("/health")).status_code == 200
        assert not request.done()
        go.set()
        assert (await request).status_code == 204


async def fetch_secret():
    return [OTHER, SECRET]


@pytest.mark.parametrize(
    "secret", [fetch_secret, functools.partial(fetch_secret), lambda: SECRET, lambda: [OTHER, SECRET]]
)
def test_secrets_that_are_fetched(secret):
    web = client_of(WebhookRouter(secret))
    answers = [web.post("/hooks", content=BODY, headers=sign(BODY, one)).status_code for one in (SECRET, OTHER)]
    assert 204 in answers
    assert web.post("/hooks", content=BODY, headers=sign(BODY, THIRD)).status_code == 400


@pytest.mark.parametrize("secret", ["whsec_...", "", b"x", 7, [], [SECRET, "changeme"]])
def test_a_wrong_secret_is_refused_at_construction(secret):
    for make in (WebhookRouter, verified_webhook):
        with pytest.raises((InputError, TypeError)):
            make(secret)


@pytest.mark.parametrize("handlers", [False, True])
def test_a_wrong_secret_that_was_fetched_is_a_mistake_of_the_server(handlers, caplog):
    """500, whatever the sender sent."""
    app = FastAPI()
    app.include_router(WebhookRouter(lambda: "whsec_..."), prefix="/hooks")
    if handlers:
        add_error_handlers(app)
    web = TestClient(app, raise_server_exceptions=False)
    assert deliver(web) == [500]
    assert web.post("/hooks", content=b"x").status_code == 500
    assert "base64" not in web.post("/hooks", content=b"x").text


SERVER = """
import os, signal, sys
from fastapi import FastAPI, Request
from segments_async.fastapi import WebhookRouter
from segments_async.webhooks import RedisReplayGuard, SqliteReplayGuard, WebhookEvent

url, step = sys.argv[1], sys.argv[2]
store = (RedisReplayGuard if url.startswith("redis") else SqliteReplayGuard)(url, lease=float(sys.argv[3]))

def note(line):
    with open("log", "a") as log:
        log.write(line + "\\n")

def kill(here):
    if here == step and not os.path.exists("killed"):
        open("killed", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)

class Store:
    async def call(self, name, id):
        part = "part " if "/" in id else ""
        kill(f"before {part}{name}")
        result = getattr(store, name)(id)
        result = await result if hasattr(result, "__await__") else result
        kill(f"after {part}{name}")
        return result

    async def claim(self, id):
        return await self.call("claim", id)

    async def finish(self, id):
        note("finish")
        return await self.call("finish", id)

    async def release(self, id):
        return await self.call("release", id)

hooks = WebhookRouter("whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM", replay=Store())

@hooks.on(WebhookEvent)
async def handle(event):
    kill("start of the handler")
    note("effect")
    kill("end of the handler")
    if step in {"before release", "after release"} and not os.path.exists("killed"):
        raise ValueError

app = FastAPI()
app.include_router(hooks, prefix="/hooks")

if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, port=int(sys.argv[4]), log_level="critical")
"""

STEPS = {  # and whether the handler had its effect before
    "before claim": False,
    "after claim": False,
    "before part claim": False,
    "after part claim": False,
    "start of the handler": False,
    "end of the handler": True,
    "before part finish": True,
    "after part finish": False,
    "before finish": False,
    "after finish": False,
    "before release": True,
    "after release": True,
}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_server_that_is_killed(request, tmp_path, kind, step):
    """At each step: the message is processed by a later delivery, and by none after it was done."""
    url = "store.db"
    if kind == "redis":
        url = request.getfixturevalue("redis_url")[:-1] + str(list(STEPS).index(step))
    (tmp_path / "server.py").write_text(SERVER)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "server.py", url, step, "1", str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    @contextmanager
    def running():
        server = subprocess.Popen(command, cwd=tmp_path, env=environment)
        try:
            while True:
                assert server.poll() is None
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.02)
            yield server
        finally:
            server.kill()
            server.wait(20)

    def send():
        try:
            headers = sign(BODY, SECRET, message_id="msg_1")
            return httpx.post(
                f"http://127.0.0.1:{port}/hooks", content=BODY, headers=headers, trust_env=False, timeout=60
            ).status_code
        except httpx.TransportError:
            return None

    web = httpx.Client(trust_env=False)
    with running() as server:
        assert send() is None
        server.wait(20)
    statuses = []
    with running():
        while not statuses or statuses[-1] not in {200, 204}:
            statuses.append(send())
            assert statuses[-1] in {200, 204, 409}
            assert len(statuses) < 500
            time.sleep(0.05)
        assert send() == 200
    web.close()
    effects = (tmp_path / "log").read_text().split().count("effect")
    assert effects >= 1
    assert effects <= 1 + STEPS[step]
    if step == "after finish":
        assert (statuses, effects) == ([200], 1)
    else:
        assert statuses[-1] == 204
    if step in {"before claim", "after release"}:
        assert 409 not in statuses
