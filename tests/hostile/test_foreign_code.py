"""Handlers of logs and hooks run in the middle of a call: whatever they do, no connection and no slot is lost."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from functools import partial

import anyio
import anyio.lowlevel
import httpx
import pytest
from raw_server import RawServer, answer
from wires import ONCE, OWN_WIRES, WIRES, within

from segments_async import AsyncSegments, Hooks, SegmentsError

pytestmark = pytest.mark.anyio

CONNECTIONS = 2
LOGGERS = ["segments_async", "httpx", "httpcore.connection", "httpcore.http11"]


def raises(scope):
    raise ZeroDivisionError("a bug of the application")


def raises_timeout(scope):
    raise TimeoutError


def blocks(scope):
    time.sleep(0.03)


def cancels(scope):
    scope.cancel()


DEEDS = [raises, raises_timeout, blocks, cancels]


class Handler(logging.Handler):
    """Does *deed* for each record."""

    def __init__(self, deed):
        super().__init__()
        self.deed = deed
        self.scope = anyio.CancelScope()
        self.count = 0

    def emit(self, record):
        self.count += 1
        self.deed(self.scope)


@contextmanager
def attached(handler, name):
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class Service:
    """Fails for some paths; for ``/together/`` it answers once as many requests are there as there are connections."""

    def __init__(self):
        self.all_there = threading.Barrier(CONNECTIONS)

    def __call__(self, peer, request):
        if request.path.startswith("/lost/"):
            peer.close()
        elif request.path.startswith("/refused/"):
            peer.send(answer({"detail": "No."}, 403))
        elif request.path.startswith("/together/"):
            self.all_there.wait(timeout=5)
            peer.send(answer({"done": True}))
        else:
            peer.send(answer({"done": True}))


async def use(client, url, scope_of):
    """Make calls of each kind, more than there are connections; return how many succeeded."""
    done = 0
    for path in ["/done/", "/refused/", "/lost/"] * (CONNECTIONS + 1):
        for call in (partial(client.request, "GET", path), partial(client.assets.read, f"{url}{path}a.png")):
            try:
                with scope_of():
                    await call()
                    done += 1
            except SegmentsError:
                pass
    return done


async def check_that_all_are_free(client, url, together):
    """All connections to the API, and all to storage, can be busy at the same time."""
    for _ in range(2):
        answers = await together(CONNECTIONS, lambda _: client.request("GET", "/together/"))
        files = await together(CONNECTIONS, lambda _: client.assets.read(f"{url}/together/a.png"))
        assert (answers, files) == ([{"done": True}] * CONNECTIONS, [b'{"done": true}'] * CONNECTIONS)


@OWN_WIRES
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("name", LOGGERS)
async def test_handler_of_a_log(connect, together, wire, name, deed, capsys):
    handler = Handler(deed)

    def scope_of():
        handler.scope = anyio.CancelScope()
        return handler.scope

    with RawServer(Service()) as server, within(6):
        async with connect(server.url, max_connections=CONNECTIONS, retry=ONCE, timeout=5) as client:
            with attached(handler, name):
                done = await use(client, server.url, scope_of)
            await check_that_all_are_free(client, server.url, together)

    assert handler.count or (wire == "aiohttp" and name.startswith("httpcore"))
    if name in {"segments_async", "httpx"} and deed is not cancels:
        assert done == 2 * (CONNECTIONS + 1), "what the handler does costs no call"
    assert ("ZeroDivisionError" in capsys.readouterr().err) is (deed is raises and not name.startswith("httpcore"))


@WIRES
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("name", ["on_request", "on_response", "on_retry", "on_throttle"])
async def test_hook(connect, together, name, deed):
    scopes = [anyio.CancelScope()]

    def scope_of():
        scopes.append(anyio.CancelScope())
        return scopes[-1]

    hooks = Hooks(**{name: lambda _: deed(scopes[-1])})
    with RawServer(Service()) as server, within(6):
        async with connect(server.url, max_connections=CONNECTIONS, hooks=hooks, timeout=5) as client:
            done = await use(client, server.url, scope_of)
            scopes.append(anyio.CancelScope())
            await check_that_all_are_free(client, server.url, together)

    assert done == 2 * (CONNECTIONS + 1) or deed is cancels


@WIRES
async def test_a_hook_of_a_log_that_raises(connect, together, capsys):
    """The hook's exception is logged, by a handler that raises too."""
    hooks = Hooks(on_request=raises, on_response=raises)
    with RawServer(Service()) as server, within(6), attached(Handler(raises), "segments_async"):
        async with connect(server.url, max_connections=CONNECTIONS, hooks=hooks) as client:
            await use(client, server.url, anyio.CancelScope)
            await check_that_all_are_free(client, server.url, together)
    assert "a bug of the application" in capsys.readouterr().err


@OWN_WIRES
@pytest.mark.parametrize("deed", [raises, raises_timeout, cancels])
@pytest.mark.parametrize("place", ["send", "transport"])
async def test_an_instrumentation(connect, together, monkeypatch, place, deed):
    """Which wraps httpx's client, or the transport, and fails once the answer is there."""
    scopes = [anyio.CancelScope()]

    def instrument(owner, name):
        real = getattr(owner, name)

        async def wrapped(*args, **kwargs):
            response = await real(*args, **kwargs)
            if not str(args[1].url).startswith(f"{server.url}/together/"):
                deed(scopes[-1])
                await anyio.lowlevel.checkpoint()
            return response

        monkeypatch.setattr(owner, name, wrapped)

    def scope_of():
        scopes.append(anyio.CancelScope())
        return scopes[-1]

    with RawServer(Service()) as server, within(6):
        async with connect(server.url, max_connections=CONNECTIONS, retry=ONCE, timeout=5) as client:
            if place == "send":
                instrument(httpx.AsyncClient, "send")
            else:
                instrument(type(client._session.pool.api._transport), "handle_async_request")
            assert await use(client, server.url, scope_of) == 0
            await check_that_all_are_free(client, server.url, together)


def test_a_record_that_cannot_be_formatted():
    """Our filter is on the loggers of httpx, and leaves the report to the handlers."""
    AsyncSegments("some-key")
    record = logging.LogRecord("httpx", logging.INFO, __file__, 1, "%d", ("no number",), None)
    assert logging.getLogger("httpx").filter(record)
