"""A call past httpx gives what the same call over httpx gives, which httpx's log at INFO selects."""

from __future__ import annotations

import gzip
import logging
import re
import socket
import struct
import time
from contextlib import suppress
from functools import partial

import anyio
import httpx
import pytest

from segments_async import RequestTimeoutError, RetryPolicy, SegmentsError
from segments_async._http.pool import Pool
from segments_async._http.transport import SlotTransport

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(way):
    return "trio" if way == "trio" else "asyncio"


def answer(body=b'{"a": 1}', status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def packed(body, coding="gzip", **more):
    return answer(body, "200 OK", f"Content-Encoding: {coding}", **more)


OK = answer()
RESET = "reset"
HUGE_BYTES = 1_000_000
"""After more than this, it depends on what has arrived whether the rest is read, or the connection closed."""
GZIP = gzip.compress(b'{"a": 1}')
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    "at once": [OK],
    "in pieces": [OK[:10], OK[10:30], OK[30:]],
    "head, then body": [OK[:-8], OK[-8:]],
    "chunked": [CHUNKED + b"1\r\n{\r\n", b"1\r\n}\r\n0\r\nA: b\r\n\r\n"],
    "informational": [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", OK],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "not modified": [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    "empty": [answer(b"")],
    "told to close": [answer(b"{}", "200 OK", "Connection: close")],
    "until the end": [b"HTTP/1.0 200 OK\r\n\r\n{}", None],
    "more than the response": [OK + OK],
    "no answer": [None],
    "reset": [RESET],
    "part of a head": [OK[:20], None],
    "part of a head, reset": [OK[:20], RESET],
    "part of a body": [OK[:-1], None],
    "part of a body, reset": [OK[:-1], RESET],
    "part of a chunk": [CHUNKED + b"9\r\n{", None],
    "bad chunk": [CHUNKED + b"zz\r\n{}\r\n", None],
    "no HTTP": [b"SSH-2.0-OpenSSH\r\n\r\n", None],
    "unasked upgrade": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n", None],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", None],
    "bad length": [b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", None],
    "bad header": [b"HTTP/1.1 200 OK\r\nContent Length: 2\r\n\r\n{}", None],
    "long head": [b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000 + b"\r\n\r\n", None],
    "many headers": [answer(b"{}", "200 OK", *(f"A{n}: b" for n in range(500)))],
    "latin-1 reason": [b"HTTP/1.1 200 D\xe9j\xe0 vu\r\nContent-Length: 2\r\n\r\n{}"],
    "no reason": [b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}"],
    "latin-1 header": [b"HTTP/1.1 200 OK\r\nX-Request-Id: \xe9\r\nContent-Length: 2\r\n\r\n{}"],
    "cookie": [answer(b"{}", "200 OK", "Set-Cookie: a=b", "Set-Cookie: c=d; Domain=other.test")],
    "no JSON": [answer(b"<html>")],
    "gzip": [packed(GZIP)],
    "gzip in pieces": [packed(GZIP)[:-9], packed(GZIP)[-9:]],
    "deflate": [packed(b"x\x9c\xabVJT\xb2R0\xac\x05\x00\x0b,\x02W", "deflate")],
    "identity": [packed(b"{}", "identity")],
    "gzip of nothing": [packed(b"")],
    "part of a gzip": [packed(GZIP[:-4])],
    "no gzip": [packed(b'{"a": 1}')],
    "unknown coding": [packed(b"{}", "zstd-2")],
    "two codings": [answer(gzip.compress(GZIP), "200 OK", "Content-Encoding: gzip", "Content-Encoding: gzip")],
    "too large": [answer(b" " * 9_000_000)],
    "too large once decoded": [packed(gzip.compress(b" " * 1_200_000))],
    "refusal": [answer(b'{"detail": "no"}', "403 Forbidden")],
    "large refusal": [answer(b"x" * 9_000_000, "400 Bad Request")],
    "endless refusal": [b"HTTP/1.1 500 Oh\r\n\r\n", *[b"x" * 50_000] * 4, None],
    "coded refusal": [answer(gzip.compress(b'{"detail": "no"}'), "403 Forbidden", "Content-Encoding: gzip")],
    "outage": [answer(b"", "503 Service Unavailable")],
    "redirect": [answer(b"", "301 Moved Permanently", "Location: /user/a/")],
    "redirect to another host": [answer(b"", "302 Found", "Location: http://127.0.0.2:1/user/a/")],
}
"""What a server sends, piece by piece; at None it closes the connection."""


class Server:
    """Answers calls of ``/warm/`` well, and others with *pieces*."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.connections = 0
        self.received = []

    def __call__(self, connection):
        self.connections += 1
        with suppress(OSError):  # the client has read enough
            while (received := connection.recv(200_000)) and self.answer(connection, received):
                pass

    def answer(self, connection, received):
        """Answer one request, and return whether more may come over this connection."""
        self.received.append(normalized(received))
        for piece in [OK] if b"/warm/" in received else self.pieces:
            if piece is RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
            if piece in {None, RESET}:
                return False
            connection.sendall(piece)
            time.sleep(0.005)  # so that it arrives by itself
        return True


def normalized(received):
    """A request without what may differ: the order of headers, the port, and what aiohttp adds where no body is."""
    head, _, body = received.partition(b"\r\n\r\n")
    line, *headers = head.lower().split(b"\r\n")
    headers = {header for header in headers if not header.startswith(b"host:")}
    return line, headers if body else headers - {b"content-length: 0"}, body


@pytest.fixture
def ways(monkeypatch):
    """How many exchanges went past httpx, and how many over it."""
    counts = {"direct": 0, "httpx": 0}
    exchange, over_httpx = Pool.exchange, Pool._exchange_over_httpx

    async def all_of_them(*args, **more):
        counts["direct"] += 1
        return await exchange(*args, **more)

    async def counted(*args):
        counts["direct"] -= 1
        counts["httpx"] += 1
        return await over_httpx(*args)

    monkeypatch.setattr(Pool, "exchange", all_of_them)
    monkeypatch.setattr(Pool, "_exchange_over_httpx", counted)
    return counts


async def outcome_of(call, url):
    try:
        return await call()
    except SegmentsError as error:
        cause = error.__cause__
        text = re.sub(r"\d{5}", "PORT", f"{error} {getattr(error, '__notes__', [])} {cause}".replace(url, ""))
        known = {name: getattr(error, name, None) for name in ("sent", "retryable", "status", "retry_after", "body")}
        return type(error), text, type(cause), known


CALLS = {
    "GET": partial(dict, method="GET", json=None),
    "PUT": partial(dict, method="PUT", json={"a": 1}),
    "POST": partial(dict, method="POST", json={"a": [1.5, "é"]}),
    "DELETE": partial(dict, method="DELETE", json=None),
}


async def outcomes(open_client, serving, pieces, options, attempts):
    """What calls give on a connection that is open, what was received, and how often they were sent."""
    server, found = Server(pieces), []
    with serving(server) as port:
        url = f"http://127.0.0.1:{port}"
        retry = RetryPolicy(attempts=attempts, base=0, cap=0)
        async with open_client(base_url=url, retry=retry, max_connections=1, max_answer_mb=1, **options) as client:
            for method, arguments in CALLS.items():
                await client.request("GET", "/warm/")
                found.append((method, await outcome_of(partial(client.request, path="/user/a", **arguments()), url)))
            stats = client.stats()
    totals = (stats.requests, stats.retries, stats.throttled, stats.bytes_sent)
    return [*found, ("totals", totals), ("connections", server.connections), ("received", server.received)]


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("pieces", ANSWERS.values(), ids=ANSWERS)
async def test_same_as_over_httpx(open_client, serving, caplog, ways, pieces, options, attempts):
    ours = await outcomes(open_client, serving, pieces, options, attempts)
    direct = ways["direct"]
    caplog.set_level(logging.INFO, "httpx")
    theirs = await outcomes(open_client, serving, pieces, options, attempts)

    is_huge = sum(len(piece or b"") for piece in pieces if piece is not RESET) > HUGE_BYTES
    for (name, our), (_, their) in zip(ours, theirs, strict=True):
        assert our == their or (name == "connections" and is_huge), name
    assert 0 < direct == ways["direct"] < ways["httpx"]


TIMEOUT = httpx.Timeout(5, read=0.2)


async def test_seconds_of_reading_start_anew_with_each_piece(open_client, serving, ways, options):
    def handle(connection):
        while connection.recv(65536):
            for start in range(0, len(OK), 10):
                connection.sendall(OK[start : start + 10])
                time.sleep(0.1)

    timeout = httpx.Timeout(20, read=2)
    with serving(handle) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", timeout=timeout, **options) as client:
            for _ in range(2):
                assert await client.request("GET", "/user/") == {"a": 1}
    assert ways == {"direct": 1, "httpx": 1}


STALLS = {
    "no answer": [],
    "part of a head": [OK[:20]],
    "part of a body": [OK[:-2]],
    "part of a chunk": [CHUNKED + b"9\r\n{"],
}


def stalling(pieces, calls):
    """Stall in each answer but those to ``/warm/``, which a slow machine may ask for again, and so are not counted."""

    def handle(connection):
        while received := connection.recv(200_000):
            is_warm = b"/warm/" in received
            if not is_warm:
                calls.append(received)
            for piece in [OK] if is_warm else pieces:
                connection.sendall(piece)

    return handle


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("pieces", STALLS.values(), ids=STALLS)
async def test_server_that_stalls(open_client, serving, caplog, ways, options, pieces, method):
    """The timeout of reading, the error for a call that must not be repeated, and a connection that is closed."""

    async def outcome():
        calls = []
        with serving(stalling(pieces, calls)) as port:
            url = f"http://127.0.0.1:{port}"
            async with open_client(base_url=url, timeout=TIMEOUT, retry=RetryPolicy(attempts=2), **options) as client:
                await client.request("GET", "/warm/")
                found = await outcome_of(partial(client.request, method, "/issues/", json={}), url)
                assert await client.request("GET", "/warm/") == {"a": 1}
                return found, len(calls)

    ours = await outcome()
    assert ways["direct"] >= 1
    caplog.set_level(logging.INFO, "httpx")
    assert ours == await outcome()
    assert "no answer arrived in time" in ours[0][1]


async def test_call_that_takes_too_long(open_client, serving, ways, options):
    """Bytes that arrive all the time do not extend the time of a call."""

    def handle(connection):
        while received := connection.recv(65536):
            if b"/warm/" in received:
                connection.sendall(OK)
                continue
            with suppress(OSError):
                for byte in OK[:-1] + b" " * 1_000:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.02)

    retry = RetryPolicy(attempts=1, total=0.5)
    with serving(handle) as port:
        url = f"http://127.0.0.1:{port}"
        async with open_client(base_url=url, timeout=TIMEOUT, retry=retry, **options) as client:
            await client.request("GET", "/warm/")
            with pytest.raises(RequestTimeoutError, match=r"the call did not finish within 0\.5 s") as caught:
                await client.request("GET", "/slow/")
    assert caught.value.sent
    assert ways == {"direct": 1, "httpx": 1}


async def test_cancelled(open_client, serving, ways, options):
    """The connection is closed, as its answer would be read as that of the next call."""
    connections = []

    def handle(connection):
        connections.append(connection)
        while received := connection.recv(65536):
            if b"/warm/" in received:
                connection.sendall(OK)

    with serving(handle) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", **options) as client:
            await client.request("GET", "/warm/")
            with anyio.move_on_after(0.05) as scope:
                await client.request("GET", "/never/")
            assert scope.cancelled_caught
            assert await client.request("GET", "/warm/") == {"a": 1}
    assert ways["direct"] == 1
    assert len(connections) == 2


async def test_cancelled_before(open_client, serving, options):
    """Nothing is sent."""
    received = []

    def handle(connection):
        while data := connection.recv(65536):
            received.append(data)
            connection.sendall(OK)

    with serving(handle) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", **options) as client:
            await client.request("GET", "/warm/")
            with anyio.CancelScope() as scope:
                scope.cancel()
                await client.request("POST", "/issues/", json={})
            await client.request("GET", "/warm/")
    assert [data[:4] for data in received] == [b"GET ", b"GET "]


def watched(way):
    """The methods that instrumentations and mocks wrap, or replace."""
    if way == "aiohttp":
        own = pytest.importorskip("segments_async._http.aiohttp_transport").SegmentsAiohttpTransport
        session = pytest.importorskip("aiohttp").ClientSession
        return [(httpx.AsyncClient, "send"), (own, "handle_async_request"), (session, "_request")]
    return [(httpx.AsyncClient, "send"), (SlotTransport, "handle_async_request")]


async def test_what_others_wrap(open_client, serving, ways, monkeypatch, way, options):
    """An instrumentation sees each request, also if it comes when a connection is open, and until it goes."""
    with serving(Server([OK])) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", **options) as client:
            await client.request("GET", "/warm/")
            for owner, name in watched(way):
                seen = []
                real = getattr(owner, name)

                async def wrapper(*args, real=real, seen=seen, **more):
                    seen.append(args)
                    return await real(*args, **more)

                with monkeypatch.context() as patches:
                    patches.setattr(owner, name, wrapper)
                    for _ in range(2):
                        await client.request("GET", "/user/")
                assert len(seen) == 2, name
            assert ways["direct"] == 0
            await client.request("GET", "/user/")
            assert ways["direct"] == 1


async def test_a_transport_that_is_wrapped(open_client, serving, ways, monkeypatch, options):
    """The same for one client."""
    with serving(Server([OK])) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", **options) as client:
            await client.request("GET", "/warm/")
            api = client._session.pool.api
            for owner, name in [(api, "send"), (api._transport, "handle_async_request")]:
                with monkeypatch.context() as patches:
                    patches.setattr(owner, name, getattr(owner, name))
                    await client.request("GET", "/user/")
            with monkeypatch.context() as patches:
                patches.setattr(api, "_transport", httpx.MockTransport(lambda _: httpx.Response(200, json={"b": 2})))
                assert await client.request("GET", "/user/") == {"b": 2}
            assert ways["direct"] == 0
