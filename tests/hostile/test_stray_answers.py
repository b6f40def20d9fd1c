"""Each call gets its own answer: a connection on which anything else came is not used again."""

from __future__ import annotations

import threading

import pytest
from anyio.to_thread import run_sync
from raw_server import RawServer, answer, chunked, head
from wires import WIRES, within

pytestmark = pytest.mark.anyio

ELSE = answer({"asked": "another call"})
HALF = b"HTTP/1.1 404 Not Found\r\nX-Rest: "
"""What comes after it would be the value of its header."""
STRAYS = {
    "answer": ELSE,
    "two answers": ELSE * 2,
    "400 that closes": answer({"detail": "Bad request."}, 400, {"Connection": "close"}),
    "408 of an idle connection": answer(b"", 408, {"Connection": "close"}),
    "half an answer": HALF,
    "continue": head("100 Continue"),
    "line break": b"\r\n",
    "null": b"\0",
}


@WIRES
@pytest.mark.parametrize("stray", STRAYS)
async def test_with_the_answer(connect, stray, wire):
    """Bytes that follow a response at once are discarded. Over aiohttp both may be lost, and are sent again."""

    def script(peer, request):
        peer.send(answer({"asked": request.path}) + (STRAYS[stray] if request.number == 0 else b""))

    with RawServer(script) as server, within(3):
        async with connect(server.url) as client:
            for path in ("/first/", "/second/", "/third/"):
                assert await client.request("GET", path) == {"asked": path}

    assert len(server.connections) == 2
    assert len(server.requests) == 3 or wire == "aiohttp"


@WIRES
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("stray", STRAYS)
async def test_while_idle(connect, stray, method):
    """Bytes that arrive while a connection idles are discarded too, and what is sent then is sent once."""
    idle, sent = threading.Event(), threading.Event()

    def script(peer, request):
        peer.send(answer({"asked": request.path}))
        if request.number == 0:
            peer.wait_for(idle)
            peer.send(STRAYS[stray])
            sent.set()

    with RawServer(script) as server, within(3):
        async with connect(server.url) as client:
            assert await client.request("GET", "/first/") == {"asked": "/first/"}
            idle.set()
            await run_sync(sent.wait, 2)
            assert await client.request(method, "/second/", json={}) == {"asked": "/second/"}
            assert await client.request("GET", "/third/") == {"asked": "/third/"}

    assert server.asked == [("GET", "/first/"), (method, "/second/"), ("GET", "/third/")]
    assert len(server.connections) == 2


@WIRES
async def test_label_that_was_put(connect):
    """A label that the service has taken is not a failure because the connection was given up before."""
    idle, sent = threading.Event(), threading.Event()

    def script(peer, request):
        peer.send(answer({"label_status": "LABELED", "attributes": {"annotations": []}}))
        if request.number == 0:
            peer.wait_for(idle)
            peer.send(STRAYS["400 that closes"])
            peer.half_close()
            sent.set()

    with RawServer(script) as server, within(3):
        async with connect(server.url) as client:
            await client.labels.get("u", "ground-truth")
            idle.set()
            await run_sync(sent.wait, 2)
            label = await client.labels.put("u", "ground-truth", {"annotations": []})

    assert label.label_status == "LABELED"
    assert [request.method for request in server.requests] == ["GET", "PUT"]


TOO_LONG = {
    "length": answer({"asked": "/first/"}) + b'{"asked": "another call"}',
    "204": head(204) + ELSE,
    "204 with a length": head(204, {"Content-Length": 5}) + b"hello",
    "204 with a length and half an answer": head(204, {"Content-Length": 500}) + HALF,
    "304": head(304) + ELSE,
    "304 with a length": head(304, {"Content-Length": 500}) + HALF,
    "bare line feeds": head(200, {"Content-Length": 2}).replace(b"\r\n", b"\n") + b"{}" + HALF,
    "folded length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\n{}" + HALF,
    "length with zeros": head(200, {"Content-Length": f"{2:030}"}) + b"{}" + HALF,
    "two lengths": head(200, {"Content-Length": 500, "Transfer-Encoding": "chunked"}) + b"2\r\n{}\r\n0\r\n\r\n" + HALF,
    "chunks": head(200, {"Transfer-Encoding": "chunked"}) + b"".join(chunked([b'{"asked": "/first/"}'])) + ELSE,
    "trailers": head(200, {"Transfer-Encoding": "chunked"}) + b"2\r\n{}\r\n0\r\nX-A: b\r\n\r\n" + ELSE,
}


@WIRES
@pytest.mark.parametrize("first", TOO_LONG)
async def test_body_that_is_longer_than_it_says(connect, first, wire):
    """However the end of an answer is marked, bytes after it are not the next answer."""

    def script(peer, request):
        peer.send(TOO_LONG[first] if request.number == 0 else answer({"asked": request.path}))

    with RawServer(script) as server, within(3):
        async with connect(server.url) as client:
            if first.startswith("304"):
                with pytest.raises(Exception, match="304"):
                    await client.request("GET", "/first/")
            else:
                await client.request("GET", "/first/")
            assert await client.request("GET", "/second/") == {"asked": "/second/"}

    assert len(server.connections) == 2
    assert len(server.requests) == 2 or first in REPEATED[wire]


REPEATED = {
    "slots": {"length with zeros"},
    "httpx": {"length with zeros"},
    "aiohttp": {*TOO_LONG},
}
"""The answers that a transport refuses to read, or loses."""


@WIRES
@pytest.mark.parametrize("stray", [HALF, ELSE[:40]])
async def test_head_of_a_body(connect, stray):
    """The answer to HEAD states the length of a body that does not follow."""

    def script(peer, request):
        peer.send(
            head(200, {"Content-Length": 500}) + stray if request.number == 0 else answer({"asked": request.path})
        )

    with RawServer(script) as server, within(3):
        async with connect(server.url) as client:
            await client.request("HEAD", "/first/")
            assert await client.request("GET", "/second/") == {"asked": "/second/"}

    assert len(server.connections) == len(server.requests) == 2


@WIRES
async def test_file_with_a_stray_answer(connect):
    """The same for downloads of files."""

    def script(peer, request):
        peer.send(answer(request.path.encode()) + (answer(b"else") if request.number == 0 else b""))

    with RawServer(script) as host, within(3):
        async with connect("http://127.0.0.1:1") as client:
            for path in ("/1.png", "/2.png"):
                assert await client.assets.read(host.url + path) == path.encode()


@WIRES
async def test_clean_connections_are_kept(connect):
    """What is drained is used again, or every call would cost a connection."""
    with RawServer(lambda peer, request: peer.send(answer({"asked": request.path}))) as server, within(3):
        async with connect(server.url) as client:
            for _ in range(5):
                await client.request("GET", "/x/")

    assert len(server.connections) == 1
