"""A redirect that only adds the slash is followed; the key goes nowhere else."""

from __future__ import annotations

import pytest
from raw_server import RawServer, answer, head
from wires import KEY, WIRES, within

from segments_async import ApiError

pytestmark = pytest.mark.anyio

ANSWERS = {"GET": answer({"done": True}), "DELETE": head(204)}


@WIRES
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_slash(connect, method, status):
    """Nothing was carried out, so the same request is sent to the address that the service names."""

    def script(peer, request):
        if request.path.endswith("/"):
            peer.send(ANSWERS.get(method, answer({"done": True})))
        else:
            path, _, query = request.target.partition("?")
            peer.send(head(status, {"Location": f"{path}/?{query}", "Content-Length": 0}))

    body = None if method in {"GET", "DELETE"} else {"name": "rose"}
    with RawServer(script) as api, within(3):
        async with connect(api.url) as client:
            result = await client.request(method, "/x", params={"page": 1}, json=body)

    assert result == (None if method == "DELETE" else {"done": True})
    assert api.asked == [(method, "/x?page=1"), (method, "/x/?page=1")]
    for request in api.requests:
        assert request.headers["authorization"] == f"APIKey {KEY}"
        assert (request.json() if body else None) == body


@WIRES
@pytest.mark.parametrize("location", ["/users/jane/", "{url}/users/jane/", "jane/", "//127.0.0.1:{port}/users/jane/"])
async def test_forms_of_the_address(connect, location):
    """Whole or relative, it is the same place."""

    def script(peer, request):
        if request.path.endswith("/"):
            peer.send(answer({"username": "jane"}))
        else:
            there = location.format(url=api.url, port=api.port)
            peer.send(head(301, {"Location": there, "Content-Length": 0}))

    with RawServer(script) as api, within(3):
        async with connect(api.url) as client:
            assert (await client.users.get("jane")).username == "jane"


@WIRES
async def test_circle(connect):
    """A loop between two addresses ends."""

    def script(peer, request):
        other = request.path.rstrip("/") if request.path.endswith("/") else request.path + "/"
        peer.send(head(301, {"Location": other, "Content-Length": 0}))

    with RawServer(script) as api, within(3):
        async with connect(api.url) as client:
            with pytest.raises(ApiError, match="301"):
                await client.request("GET", "/x")

    assert len(api.requests) <= 3


ELSEWHERE = {
    "host": "http://localhost:{port}/x/",
    "port": "http://127.0.0.1:{other}/x/",
    "no scheme": "//127.0.0.1:{other}/x/",
    "scheme": "https://127.0.0.1:{port}/x/",
    "user": "http://127.0.0.1:{port}@127.0.0.1:{other}/x/",
    "backslash": "http://127.0.0.1:{other}\\@127.0.0.1:{port}/x/",
    "path": "/y/",
    "deeper": "/x/y/",
    "two slashes": "/x//",
    "dots": "/x/../y/",
    "file": "file:///x/",
    "script": "javascript:1",
    "no address": "http://[::1/x/",
    "no port": "http://127.0.0.1:99999/x/",
    "odd port": "http://127.0.0.1:x/x/",
    "odd host": "http://a..b/x/",
    "long host": "http://" + "a" * 64 + ".example/x/",
    "empty": "",
    "not ASCII": "http://127.0.0.1:{port}/\xff\xfe",
}


@WIRES
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("where", ELSEWHERE)
async def test_elsewhere(connect, wire, where, method):
    """To any other place nothing is sent: the redirect is the error, and nothing is tried again."""
    if wire == "httpx" and where in {"script", "no address", "odd port"}:
        pytest.skip("a stock httpx client raises while it looks where the redirect leads, and drops the response")

    def script(peer, request):
        location = ELSEWHERE[where].format(port=api.port, other=other.port)
        peer.send(head(302, {"Location": location, "Content-Length": 0}))

    with RawServer(script) as api, RawServer(lambda peer, _: peer.send(answer({}))) as other, within(3):
        async with connect(api.url) as client:
            with pytest.raises(ApiError, match="302") as caught:
                await client.request(method, "/x")

    assert caught.value.status == 302
    assert len(api.requests) == 1
    assert other.requests == []


@WIRES
async def test_redirect_of_a_storage_host(connect):
    """A file may live anywhere; its hosts never see the key, nor does the place where they send us."""

    def script(peer, request):
        peer.send(head(302, {"Location": f"http://localhost:{there.port}/a.png", "Content-Length": 0}))

    with (
        RawServer(script) as here,
        RawServer(lambda peer, _: peer.send(answer(b"png", 200, {"Content-Type": "image/png"}))) as there,
        within(3),
    ):
        async with connect("http://127.0.0.1:1") as client:
            assert await client.assets.read(here.url + "/a.png") == b"png"

    for request in here.requests + there.requests:
        assert "authorization" not in request.headers
    assert [request.headers["host"] for request in here.requests] == [f"127.0.0.1:{here.port}"]
    assert [request.headers["host"] for request in there.requests] == [f"localhost:{there.port}"]
