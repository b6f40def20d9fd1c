"""What is sent: headers, compression and queries; and what `request` returns."""

from __future__ import annotations

import gzip
import json
from urllib.parse import parse_qsl

import anyio
import httpx
import pytest

from segments_async import AsyncSegments, InputError, NotFoundError, RequestTimeoutError, RetryPolicy, __version__
from segments_async._http.session import GZIP_FROM_BYTES, THREAD_FROM_BYTES

pytestmark = pytest.mark.anyio


@pytest.fixture
def recorded(clock):
    """A client whose requests are kept, bodies included."""
    requests = []

    def answer(request):
        requests.append(request)
        return httpx.Response(200, json=SAMPLE | {"attributes": {}, "label_type": "x"})

    client = AsyncSegments("some-key", transport=httpx.MockTransport(answer), clock=clock.settings)
    return client, requests


SAMPLE = {"uuid": "u-1", "name": "violet", "attributes": {"image": {"url": "a.png"}}, "created_by": "jane"}


def metadata(size):
    return {"words": "flower " * (size // 7)}


CALLS = {
    "create": lambda client, size: client.samples.create(
        "jane/flowers", "violet", {"image": {"url": "a.png"}}, metadata=metadata(size)
    ),
    "update": lambda client, size: client.samples.update("u-1", metadata=metadata(size)),
    "label": lambda client, size: client.labels.put("u-1", "ground-truth", {"annotations": [], **metadata(size)}),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("size", [GZIP_FROM_BYTES * 2, THREAD_FROM_BYTES + 1000])
async def test_large_body_is_compressed(recorded, call, size):
    """The same body is compressed to the same bytes each time."""
    client, requests = recorded

    for _ in range(2):
        await CALLS[call](client, size)

    first, second = requests
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["content-type"] == "application/json"
    assert int(first.headers["content-length"]) == len(first.content) < size / 10
    assert first.content == second.content
    assert "flower flower" in str(json.loads(gzip.decompress(first.content)))


@pytest.mark.parametrize("call", CALLS)
async def test_small_body_is_not_compressed(recorded, call):
    client, requests = recorded

    await CALLS[call](client, 700)

    assert "content-encoding" not in requests[0].headers
    assert json.loads(requests[0].content)


async def test_other_endpoints_are_not_compressed(recorded):
    """Only samples and labels are known to take it."""
    client, requests = recorded

    await client.request("POST", "/assets/", json=metadata(10_000))

    assert "content-encoding" not in requests[0].headers


async def test_the_service_reads_it(world):
    sample = await world.client.samples.create(
        world.dataset, "rose", {"image": {"url": "a.png"}}, metadata=metadata(50_000)
    )

    assert sample.metadata == metadata(50_000)
    assert world.sandbox.calls[-1].body_bytes < 5_000
    assert world.sandbox.calls[-1].headers["content-encoding"] == "gzip"


async def test_headers(world):
    await world.client.request("GET", "/user")
    await world.client.request("PATCH", f"/samples/{world.uuid}/", json={"priority": 1})

    bare, with_body = (call.headers for call in world.sandbox.calls)
    for headers in (bare, with_body):
        assert headers["user-agent"] == f"segments-async/{__version__}"
        assert headers["authorization"] == f"APIKey {world.sandbox.api_key}"
        assert headers["accept"] == "application/json"
        assert headers["accept-encoding"] == "gzip, deflate"
        assert "cookie" not in headers
    assert "content-type" not in bare
    assert with_body["content-type"] == "application/json"
    assert with_body["content-length"] == "14"


async def test_cookies_are_not_kept(world):
    world.sandbox.fail("GET", "/user", status=200, json={}, headers={"Set-Cookie": "session=1; Path=/"})

    for _ in range(2):
        await world.client.request("GET", "/user")

    assert "cookie" not in world.sandbox.calls[-1].headers


async def test_request_gives_json(world):
    client = world.client
    assert (await client.request("get", "/user"))["username"] == "sandbox"
    assert [row["name"] for row in await client.request("GET", "/user/datasets/", params={"per_page": 1})] == [
        "flowers"
    ]
    assert await client.request("DELETE", f"/labels/{world.uuid}/ground-truth/") is None
    world.sandbox.fail("GET", "/user", status=200, body="null", content_type="application/json")
    assert await client.request("GET", "/user") is None


async def test_raw_response(world):
    """Status, headers and body as they came; the same retries and errors as without."""
    world.sandbox.fail("GET", "/user", status=503)
    raw = await world.client.request("GET", "/user", raw=True)
    assert (raw.status, raw.method, raw.url) == (200, "GET", f"{world.sandbox.url}/user")
    assert raw.headers["Content-Type"] == raw.headers["content-type"] == "application/json"
    assert json.loads(raw.content) == raw.body == await world.client.request("GET", "/user")
    assert raw.request_id is not None
    assert "sandbox-key" not in repr(raw)
    assert "username" not in repr(raw)
    with pytest.raises(NotFoundError):
        await world.client.request("GET", "/nothing/", raw=True)


async def test_raw_response_of_other_bodies(world):
    """An empty body is None, and text is text."""
    raw = await world.client.request("DELETE", f"/labels/{world.uuid}/ground-truth/", raw=True)
    assert (raw.status, raw.content, raw.body) == (204, b"", None)
    world.sandbox.fail("GET", "/user", status=200, body=b"<html>", content_type="text/html", headers={"X-Seen": "1"})
    raw = await world.client.request("GET", "/user", raw=True)
    assert (raw.body, raw.headers["x-seen"]) == ("<html>", "1")


async def test_raw_response_of_a_repeated_delete(world):
    """The 404 of what an earlier attempt has deleted comes as it is, as there is no other response to return."""
    world.sandbox.fail("DELETE", "/samples/*", drop="after")
    with pytest.raises(NotFoundError):
        await world.client.request("DELETE", f"/samples/{world.uuid}/", raw=True)
    assert len(world.sandbox.calls) == 2


async def test_query_is_escaped(world):
    """Values with spaces, ampersands and letters beyond ASCII arrive as they are; None is left out."""
    params = {"name__contains": "a&b=c d", "filters": "clé:ü", "label_status": None, "page": 1, "flag": True}

    await world.client.request("GET", "/datasets/sandbox/flowers/samples/", params=params)
    await world.client.request("GET", "/datasets/sandbox/flowers/samples/?per_page=5", params={"page": 1})

    first, second = (dict(parse_qsl(call.query)) for call in world.sandbox.calls)
    assert first == {"name__contains": "a&b=c d", "filters": "clé:ü", "page": "1", "flag": "true"}
    assert second == {"per_page": "5", "page": "1"}


@pytest.mark.parametrize("name", ["my labels", "50%", "a#b", "a?b", "ü", "a+b", "a&b", "{x}", "%2F"])
async def test_odd_names(world, name):
    """Each name is one percent-encoded segment of the path."""
    path = f"/datasets/{world.dataset}/labelsets/"
    await world.client.request("POST", path, json={"name": name, "description": "", "attributes": "{}"})

    box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
    await world.client.labels.put(world.uuid, name, {"format_version": "0.1", "annotations": [box]})

    assert len((await world.client.labels.get(world.uuid, name)).attributes.annotations) == 1
    assert world.sandbox.label(world.uuid, name) is not None


async def test_braces_in_a_path(world):
    with pytest.raises(Exception, match="404"):
        await world.client.request("GET", "/datasets/{a}/b/")

    assert world.sent == [("GET", "/datasets/%7Ba%7D/b/")]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "", None, "G ET", "get\r\n"])
async def test_invalid_method(world, method):
    with pytest.raises(InputError) as caught:
        await world.client.request(method, "/user")

    assert caught.value.path == "method"


@pytest.mark.parametrize(("value", "path"), [({"a": [1, float("nan")]}, "a[1]"), ({"a": {1, 2}}, "a")])
async def test_body_that_is_not_json(world, value, path):
    """The error names the place, and nothing is sent."""
    with pytest.raises(InputError) as caught:
        await world.client.request("POST", "/assets/", json=value)

    assert caught.value.path == path
    assert world.sent == []


async def test_four_phases_of_a_timeout(clock):
    """5 s to connect, 30 to read and write, and no bound on the wait for a connection; lists may take longer."""
    seen = []

    def answer(request):
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json=[])

    for options in ({}, {"timeout": 3}, {"timeout": httpx.Timeout(1, pool=2)}):
        async with AsyncSegments(
            "some-key", transport=httpx.MockTransport(answer), clock=clock.settings, **options
        ) as client:
            await client.releases.list("jane/flowers")
            await client.samples.list("jane/flowers")

    default = {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": None}
    three = {"connect": 3, "read": 3, "write": 3, "pool": None}
    one = {"connect": 1, "read": 1, "write": 1, "pool": None}
    assert seen == [default, default | {"read": 120.0}, three, three, one, one]


async def test_write_timeout(open_client, serving):
    """A server that reads nothing: the wait is bounded, and the outcome is unknown."""
    with serving(lambda connection: connection.recv(1) and anyio.run(anyio.sleep, 1)) as port:
        timeout = httpx.Timeout(5, write=0.2)
        async with open_client(
            base_url=f"http://127.0.0.1:{port}", timeout=timeout, retry=RetryPolicy(attempts=1)
        ) as client:
            with pytest.raises(RequestTimeoutError, match="could not be written in time") as caught:
                await client.request("PUT", "/labels/u-1/ground-truth/", json="x" * 20_000_000)

    assert caught.value.sent


async def test_compressed_answer(world):
    body = gzip.compress(json.dumps({"username": "jane" * 1000}).encode())
    world.sandbox.fail("GET", "/user", status=200, body=body, headers={"Content-Encoding": "gzip"})

    assert (await world.client.request("GET", "/user"))["username"] == "jane" * 1000
