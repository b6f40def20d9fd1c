"""Scripted faults, and the log of calls."""

from __future__ import annotations

import time

import httpx
import pytest
from waiting import LIMIT, wait_until


def test_status(api, sandbox, flowers):
    fault = sandbox.fail("GET", "/flowers/", times=2)
    assert [api.get(f"{flowers}/").status_code for _ in range(3)] == [503, 503, 200]
    assert (fault.hits, fault.spent) == (2, True)


@pytest.mark.parametrize(
    ("status", "content_type", "words"),
    [
        (429, "application/json", '{"detail":"Request was throttled."}'),
        (404, "application/json", '{"detail":"Not Found."}'),
        (500, "text/html", "<h1>500 Internal Server Error</h1>"),
        (502, "text/html", "<h1>502 Bad Gateway</h1>"),
        (599, "text/html", "<h1>599 Error</h1>"),
    ],
)
def test_default_bodies(api, sandbox, status, content_type, words):
    sandbox.fail("GET", "/user", status=status)
    reply = api.get("/user")
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith(content_type)
    assert words in reply.text
    assert "x-request-id" in reply.headers


def test_throttled(api, sandbox):
    """The body names the same seconds as the header."""
    sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "2"})
    reply = api.get("/user")
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "2")
    assert reply.json() == {"detail": "Request was throttled. Expected available in 2 seconds."}


def test_body(api, sandbox):
    sandbox.fail("GET", "/user", status=200, body=b"<html>")
    sandbox.fail("GET", "/user", status=418, json={"detail": "Teapot."}, headers={"X-Request-Id": "mine"})
    sandbox.fail("GET", "/user", status=400, body="text", content_type="text/plain")
    page, teapot, text = (api.get("/user") for _ in range(3))
    assert (page.status_code, page.content, page.headers["content-type"]) == (
        200,
        b"<html>",
        "application/json",
    )
    assert (teapot.json(), teapot.headers["x-request-id"]) == ({"detail": "Teapot."}, "mine")
    assert (text.text, text.headers["content-type"]) == ("text", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("method", "pattern", "strikes"),
    [
        ("GET", "/flowers", True),
        ("get", "/flowers/", True),
        ("*", "/flowers/", True),
        ("GET", "/datasets/*", True),
        ("GET", "/datasets/*/flowers/", True),
        ("GET", "*", True),
        ("POST", "/flowers/", False),
        ("GET", "/datasets/", False),
        ("GET", "/datasets/*/cats", False),
    ],
)
def test_matching(api, sandbox, method, pattern, strikes):
    sandbox.fail(method, pattern)
    assert (api.get("/datasets/sandbox/flowers/").status_code == 503) is strikes


def test_skip_and_clear(api, sandbox):
    fault = sandbox.fail("GET", "/user", times=None, skip=1)
    assert [api.get("/user").status_code for _ in range(3)] == [200, 503, 503]
    assert fault.hits == 2
    sandbox.clear_faults()
    assert api.get("/user").status_code == 200


def test_faults_apply_in_order(api, sandbox):
    sandbox.fail("GET", "/user", status=500)
    sandbox.fail("GET", "/user", status=429)
    assert [api.get("/user").status_code for _ in range(3)] == [500, 429, 200]


def test_refused_requests_have_no_effect(api, sandbox):
    sandbox.fail("POST", "/user/datasets/")
    assert api.post("/user/datasets/", json={"name": "cats"}).status_code == 503
    assert sandbox.datasets() == []


def test_handled_requests_have(api, sandbox):
    """The gateway answers with an error, though the service handled the request."""
    sandbox.fail("POST", "/user/datasets/", status=504, handled=True)
    assert api.post("/user/datasets/", json={"name": "cats"}).status_code == 504
    assert [dataset["name"] for dataset in sandbox.datasets()] == ["cats"]


@pytest.mark.parametrize(("drop", "effect"), [("before", []), ("after", ["cats"]), ("middle", ["cats"])])
def test_drop(api, sandbox, drop, effect, caplog):
    """The connection is cut, nothing is logged, and the next call works."""
    sandbox.fail("POST", "/user/datasets/", drop=drop)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)) as caught:
        api.post("/user/datasets/", json={"name": "cats"})
    assert ("incomplete" in str(caught.value) or "without sending complete" in str(caught.value)) is (drop == "middle")
    assert [dataset["name"] for dataset in sandbox.datasets()] == effect
    assert sandbox.calls[-1].status == (201 if drop == "middle" else None)
    assert api.get("/user").status_code == 200
    assert not [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))]


def test_drop_of_a_large_body(api, sandbox, flowers):
    items = [
        {"name": f"{number:04}", "attributes": {"image": {"url": "https://example.com/image.png"}}}
        for number in range(1000)
    ]
    api.post(f"{flowers}/samples_bulk/", json=items)
    sandbox.fail("GET", "/samples/", drop="middle")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        api.get(f"{flowers}/samples/")


def test_delay(api, sandbox):
    sandbox.fail("GET", "/user", status=None, delay=30)
    with pytest.raises(httpx.ReadTimeout):
        api.get("/user", timeout=httpx.Timeout(LIMIT, read=0.05))
    sandbox.fail("GET", "/user", status=None, delay=0.05)
    started = time.monotonic()
    assert api.get("/user").json()["username"] == "sandbox"
    assert time.monotonic() - started >= 0.05


def test_request_is_handled_after_its_client_timed_out(api, sandbox):
    sandbox.fail("POST", "/user/datasets/", status=None, delay=0.5)
    with pytest.raises(httpx.ReadTimeout):
        api.post("/user/datasets/", json={"name": "cats"}, timeout=httpx.Timeout(LIMIT, read=0.01))
    wait_until(lambda: sandbox.calls)
    assert [dataset["name"] for dataset in sandbox.datasets()] == ["cats"]


def test_latency(api, sandbox):
    sandbox.latency = 0.05
    started = time.monotonic()
    assert api.get("/user").status_code == 200
    assert time.monotonic() - started >= 0.05


def test_storage_faults(api, sandbox, web):
    asset = api.post("/assets/", json={"filename": "a.png"}).json()
    form = asset["presignedPostFields"]
    sandbox.fail("POST", "/", origin="storage")
    replies = [web.post(form["url"], data=form["fields"], files={"file": b"x"}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [503, 204]
    sandbox.fail("GET", "/assets/*", origin="storage", drop="middle")
    with pytest.raises(httpx.RemoteProtocolError):
        web.get(asset["url"])


def test_calls(api, sandbox, web):
    created = api.post("/user/datasets/?a=%20b", json={"name": "cats"})
    api.get("/datasets/sandbox/two%20words/")
    web.get(f"{sandbox.storage_url}/x")
    post, get, stored = sandbox.calls
    assert (post.origin, post.method, post.path) == ("api", "POST", "/user/datasets/")
    assert (post.query, post.status, post.body_bytes) == ("a=%20b", 201, len(created.request.content))
    assert post.request_id == created.headers["x-request-id"]
    assert post.headers["content-type"] == "application/json"
    assert (get.path, get.status) == ("/datasets/sandbox/two%20words/", 404)
    assert get.peer_port == post.peer_port
    assert (stored.origin, stored.status) == ("storage", 404)
    assert "authorization" not in stored.headers
    sandbox.clear_calls()
    assert sandbox.calls == ()


def test_client_that_hangs_up(sandbox, api):
    """Half a request is not recorded as a call, and not logged."""
    with httpx.Client(verify=False, trust_env=False) as client:

        def broken():
            yield b"{"
            raise ConnectionAbortedError

        with pytest.raises(ConnectionAbortedError):
            client.post(f"{sandbox.url}/user/datasets/", content=broken())
    assert api.get("/user").status_code == 200
    assert [call.path for call in sandbox.calls] == ["/user"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "get "}, "method: expected one of"),
        ({"method": "FETCH"}, "method: expected one of"),
        ({"path": ""}, "path: expected the end of a path"),
        ({"path": "/samples/?page=2"}, "path: expected a path without a query"),
        ({"path": "https://api.segments.ai/user"}, "path: expected a path without a query"),
        ({"origin": "s3"}, "origin: expected one of 'api', 'storage', got 's3'"),
        ({"drop": "befor"}, "drop: expected one of None, 'before', 'after', 'middle', got 'befor'"),
        ({"times": -1}, "times: expected a number of requests from 0 or None for all, got -1"),
        ({"times": True}, "times: expected a number"),
        ({"skip": -1}, "skip: expected a number"),
        ({"status": 99}, "status: expected a status from 200 to 599 or None, got 99"),
        ({"status": "503"}, "status: expected a status"),
        ({"delay": -1}, "delay: expected seconds from 0"),
        ({"stall": float("nan")}, "stall: expected seconds from 0"),
        ({"rate": 0}, "rate: expected bytes per second above 0"),
        ({"json": {}, "body": "x"}, "json and body cannot be combined"),
        ({"body": 5}, "body: expected bytes or a string, got 5"),
        ({"json": {1, 2}}, "json: expected JSON"),
        ({"headers": {"Retry-After": 20}}, "headers: expected strings .* got 'Retry-After': 20"),
        ({"headers": "Retry-After: 20"}, "headers: expected a mapping"),
        ({"headers": {"Retry After": "20"}}, "headers: expected names such as"),
        ({"headers": {"X": "a\r\nb"}}, "headers: expected strings"),
        ({"content_type": 7}, "content_type: expected strings"),
        ({"handled": "yes"}, "handled: expected one of True, False"),
        ({"path": "/my user"}, "path: expected a path as it is sent"),
        ({"status": None, "body": "x"}, "never sent with status=None"),
        ({"drop": "before", "headers": {"X": "1"}}, "never sent with drop"),
    ],
)
def test_a_fault_that_can_never_apply(sandbox, arguments, words):
    with pytest.raises(ValueError, match=words):
        sandbox.fail(**{"method": "GET", "path": "/user", **arguments})
    assert sandbox._faults.take("api", "GET", "/user") is None
