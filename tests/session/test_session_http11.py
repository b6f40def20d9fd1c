"""Our way of sending a request over a connection behaves as httpcore's own, which a log at DEBUG selects."""

from __future__ import annotations

import logging
import time

import httpx
import pytest
import respx

from segments_async import RetryPolicy, SegmentsError
from segments_async._http.http11 import OpenConnection
from segments_async._http.transport import SlotTransport

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
ANSWERS = {
    "length": [OK],
    "in pieces": [OK[:10], OK[10:30], OK[30:]],
    "chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n}\r\n0\r\nA: b\r\n\r\n"],
    "informational": [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", OK],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "told to close": [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"],
    "until the end": [b"HTTP/1.0 200 OK\r\n\r\n{}", None],
    "more than the response": [OK + OK],
    "no answer": [None],
    "part of a head": [OK[:20], None],
    "part of a body": [OK[:-1], None],
    "part of a chunk": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", None],
    "no HTTP": [b"SSH-2.0-OpenSSH\r\n\r\n", None],
    "unasked upgrade": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n\r\n", None],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", None],
    "bad length": [b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", None],
    "bad header": [b"HTTP/1.1 200 OK\r\nContent Length: 2\r\n\r\n{}", None],
    "long head": [b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000 + b"\r\n\r\n", None],
    "refusal": [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 15\r\n\r\n" + b'{"detail":"no"}'],
}
"""What a server sends, piece by piece; at None it closes the connection."""


def answering(pieces):
    def handle(connection):
        while connection.recv(65536):
            for piece in pieces:
                if piece is None:
                    return
                connection.sendall(piece)
                time.sleep(0.005)  # so that it arrives by itself

    return handle


async def outcomes(open_client, url):
    """What two calls give, and how many connections they take."""
    found = []
    async with open_client(base_url=url, retry=RetryPolicy(attempts=1), max_connections=1) as client:
        for body in (None, {"a": 1}):
            try:
                found.append(await client.request("GET" if body is None else "PUT", "/user/", json=body))
            except SegmentsError as error:
                found.append((type(error), str(error).replace(url, ""), repr(error.__cause__)))
        return found, client.stats()


@pytest.fixture
def sent(monkeypatch):
    """How many requests went each way."""
    counts = {"ours": 0, "httpcore": 0}
    real = OpenConnection._exchange
    theirs = OpenConnection._send_request_headers

    async def ours(*args):
        counts["ours"] += 1
        return await real(*args)

    async def httpcores(*args, **kwargs):
        counts["httpcore"] += 1
        return await theirs(*args, **kwargs)

    monkeypatch.setattr(OpenConnection, "_exchange", ours)
    monkeypatch.setattr(OpenConnection, "_send_request_headers", httpcores)
    return counts


@pytest.mark.parametrize("pieces", ANSWERS.values(), ids=ANSWERS)
async def test_same_as_httpcore(open_client, serving, caplog, sent, pieces):
    with serving(answering(pieces)) as port:
        url = f"http://127.0.0.1:{port}"
        ours = await outcomes(open_client, url)
        caplog.set_level(logging.DEBUG, "httpcore.http11")
        theirs = await outcomes(open_client, url)

    assert ours == theirs
    assert sent == {"ours": 2, "httpcore": 2}


async def test_seconds_of_reading_start_anew_with_each_piece(open_client, serving):
    def handle(connection):
        connection.recv(65536)
        for start in range(0, len(OK), 10):
            time.sleep(0.3)
            connection.sendall(OK[start : start + 10])

    with serving(handle) as port:
        timeout = httpx.Timeout(20, read=1)
        async with open_client(base_url=f"http://127.0.0.1:{port}", timeout=timeout) as client:
            assert await client.request("GET", "/user/") == {}


async def test_trace_of_the_caller(serving, sent):
    """It gets the events of httpcore."""
    events = []

    async def trace(event, info):
        events.append(event)

    with serving(answering([OK])) as port:
        async with httpx.AsyncClient(transport=SlotTransport(1)) as client:
            await client.get(f"http://127.0.0.1:{port}/")
            await client.get(f"http://127.0.0.1:{port}/", extensions={"trace": trace})
            await client.get(f"http://127.0.0.1:{port}/")

    assert "http11.receive_response_headers.complete" in events
    assert sent["httpcore"] == 1


async def test_what_others_put_in_the_place_of_httpx(open_client, serving, sent, monkeypatch):
    """An instrumentation or a mock is asked also if it comes when a connection is open."""
    asked = []

    async def mocked(transport, request):
        asked.append(str(request.url.path))
        return httpx.Response(200, json={"mocked": True})

    with serving(answering([OK])) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", max_connections=2) as client:
            await client.request("GET", "/a/")
            with monkeypatch.context() as patches:
                patches.setattr(httpx.AsyncHTTPTransport, "handle_async_request", mocked)
                for _ in range(3):  # more than there are connections
                    assert await client.request("GET", "/b/") == {"mocked": True}
            await client.request("GET", "/c/")

    assert asked == ["/b/"] * 3
    assert sent == {"ours": 2, "httpcore": 0}


async def test_respx_that_comes_when_a_connection_is_open(open_client, serving, sent):
    """Its mock of httpcore is asked, and afterwards the connection is used again."""
    with serving(answering([OK])) as port:
        url = f"http://127.0.0.1:{port}"
        async with open_client(base_url=url, max_connections=2) as client:
            await client.request("GET", "/a/")
            with respx.mock(base_url=url) as mock:
                route = mock.get("/b/").respond(200, json={"mocked": True})
                for _ in range(3):  # more than there are connections
                    assert await client.request("GET", "/b/") == {"mocked": True}
            await client.request("GET", "/c/")
            opened = client.stats().connections_opened

    assert route.call_count == 3
    assert (opened, sent) == (1, {"ours": 2, "httpcore": 0})
