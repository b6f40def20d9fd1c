"""The API key and signatures: where they must not appear, and which hosts must not receive them."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import httpx
import pytest

from segments_async import (
    ApiError,
    AsyncSegments,
    AuthenticationError,
    DecodeError,
    InputError,
    NotFoundError,
    RetryPolicy,
    SegmentsError,
    TransportError,
)
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

KEY = "k3y-0f-jane-9f8e7d6c5b4a"


@pytest.fixture
def sandbox():
    with Sandbox(api_key=KEY) as sandbox:
        yield sandbox


def test_repr_and_pickle():
    client = AsyncSegments(KEY)

    for text in (repr(client), str(client), repr(vars(client)), repr(vars(client._session))):
        assert KEY not in text
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="create another one"):
            duplicate(client)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 401, "json": {"detail": f"Invalid key {KEY}"}},
        {"status": 400, "json": {"headers": {"authorization": [f"APIKey {KEY}"]}}},
        {"status": 500, "body": f"<title>APIKey {KEY}</title>"},
        {"status": 404, "body": KEY},
        {"status": 302, "headers": {"Location": f"https://elsewhere.test/?key={KEY}"}},
        {"status": 200, "body": f"<html>{KEY}</html>"},
        {"status": 200, "json": {"uuid": {"was": KEY}, "name": KEY}},
        {"status": 403, "headers": {"X-Request-Id": KEY}},
    ],
    ids=["401", "fields", "html", "text", "location", "200-html", "200-json", "request-id"],
)
async def test_an_echoed_key_is_not_in_the_error(sandbox, open_client, fault):
    """Whatever the service repeats of the request, the error does not, nor its cause, nor its pickle."""
    sandbox.fail("GET", "*", times=None, **fault)

    async with open_client(retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises((ApiError, DecodeError)) as caught:
            await client.samples.get("u-1")

    _check_keyless(caught.value)
    with pytest.raises(type(caught.value)) as again:
        raise pickle.loads(pickle.dumps(caught.value))
    assert vars(again.value) == vars(caught.value)


@pytest.mark.parametrize("fault", [{"drop": "before"}, {"drop": "middle"}, {"delay": 1, "status": None}])
async def test_errors_of_the_transport(sandbox, open_client, fault):
    sandbox.fail("GET", "*", times=None, **fault)

    async with open_client(retry=RetryPolicy(attempts=1), timeout=0.1) as client:
        with pytest.raises(TransportError) as caught:
            await client.request("GET", "/user")

    _check_keyless(caught.value)


def _check_keyless(error: SegmentsError) -> None:
    texts = [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
    assert not [text for text in texts if KEY in text]
    assert KEY.encode() not in pickle.dumps(error)


async def test_no_log_shows_the_key_or_a_signature(sandbox, open_client, caplog, tmp_path):
    """All loggers at DEBUG: calls, faults, an upload and a download."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    async with open_client() as client:
        await client.datasets.create("flowers")
        await client.assets.upload(b"png", "violet.png")
        await client.releases.create("sandbox/flowers", "v1")
        await client.releases.download("sandbox/flowers", "v1", tmp_path / "v1.json")
        sandbox.fail("GET", "*", status=500)
        await client.datasets.get("sandbox/flowers")
        sandbox.fail("GET", "*", times=None, drop="before")
        with pytest.raises(TransportError):
            await client.datasets.get("sandbox/flowers")
        sandbox.clear_faults()
        with pytest.raises(NotFoundError):
            await client.samples.get("nobody")

    lines = [record.getMessage() for record in caplog.records]
    downloads = [line for line in lines if "/releases/" in line and sandbox.storage_url in line and "HTTP Req" in line]
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    assert len(downloads) == 1
    assert downloads[0].split()[3].endswith(".json?...")
    assert not [line for line in lines if KEY in line or "Signature=" in line]
    assert not [record for record in caplog.records if KEY in repr(record.args)]


async def test_storage_never_sees_the_key(sandbox, open_client, tmp_path):
    async with open_client() as client:
        await client.datasets.create("flowers")
        await client.assets.upload(b"png", "violet.png")
        await client.releases.create("sandbox/flowers", "v1")
        await client.releases.download("sandbox/flowers", "v1", tmp_path / "v1.json")

    stored = [call for call in sandbox.calls if call.origin == "storage"]
    assert [call.status for call in stored] == [204, 200]
    assert not [call for call in stored if "authorization" in call.headers or KEY in repr(call)]
    assert all("authorization" in call.headers for call in sandbox.calls if call.origin == "api")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(sandbox, open_client, status):
    """Not even to where the key would be of no use."""
    with Sandbox() as elsewhere:
        sandbox.fail("GET", "/user", status=status, headers={"Location": f"{elsewhere.url}/user"})
        async with open_client() as client:
            with pytest.raises(ApiError, match="redirected to"):
                await client.request("GET", "/user")

        assert elsewhere.calls == ()


async def test_redirect_of_the_storage_is_followed_without_credentials(sandbox, open_client, tmp_path):
    """Even back to the API, which must not treat the URL from the storage as our call."""
    async with open_client() as client:
        await client.datasets.create("flowers")
        await client.releases.create("sandbox/flowers", "v1")
        sandbox.clear_calls()
        elsewhere = {"Location": f"{sandbox.url}/user"}
        sandbox.fail("GET", "*", origin="storage", times=None, status=302, headers=elsewhere)
        with pytest.raises(ApiError):
            await client.releases.download("sandbox/flowers", "v1", tmp_path / "v1.json")

    followed = [call for call in sandbox.calls if call.path.rstrip("/") == "/user"]
    assert followed
    assert all("authorization" not in call.headers for call in followed)
    assert list(tmp_path.iterdir()) == []


async def test_redirect_of_an_upload_is_not_followed(sandbox, open_client):
    async with open_client() as client:
        sandbox.fail("POST", "*", origin="storage", status=307, headers={"Location": sandbox.url})
        with pytest.raises(ApiError) as caught:
            await client.assets.upload(b"picture", "a.png")
    assert caught.value.status == 307


@pytest.mark.parametrize(
    "base_url",
    [
        "https://jane:hunter2@api.segments.ai",
        "https://hunter2@api.segments.ai",
        "ftp://jane:hunter2@api.segments.ai",
        "jane:hunter2@api.segments.ai",
        "https://jane:hunter2@[",
    ],
)
def test_base_url_with_a_password(base_url):
    with pytest.raises(InputError) as caught:
        AsyncSegments(KEY, base_url=base_url)

    assert caught.value.path == "base_url"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url", ["", "api.segments.ai", "ftp://a", "https://", "https://a/?b=c", "https://a/#b", 7]
)
def test_base_url_that_is_none(base_url):
    if base_url == "":  # as a variable of the environment that is set to nothing
        assert repr(AsyncSegments(KEY, base_url="")).endswith("https://api.segments.ai>")
        return
    with pytest.raises(InputError) as caught:
        AsyncSegments(KEY, base_url=base_url)
    assert caught.value.path == "base_url"


@pytest.mark.parametrize("base_url", ["https://a.test", "https://a.test/", "https://a.test//", "https://a.test/?"])
def test_base_url_loses_its_end(base_url):
    assert repr(AsyncSegments(KEY, base_url=base_url)) == "<AsyncSegments https://a.test>"


@pytest.mark.parametrize("path", ["https://elsewhere.test/user", "user", "", "\n/user", "/user\r\nHost: a", None])
async def test_request_takes_only_a_path(sandbox, open_client, path):
    async with open_client() as client:
        with pytest.raises(InputError) as caught:
            await client.request("GET", path)

    assert caught.value.path == "path"
    assert sandbox.calls == ()


@pytest.mark.parametrize("path", ["//elsewhere.test/user", "/@elsewhere.test/", "/..//elsewhere.test/"])
async def test_request_stays_with_its_host(sandbox, open_client, path):
    async with open_client() as client:
        with pytest.raises(NotFoundError):
            await client.request("GET", path)

    assert len(sandbox.calls) == 1


async def test_request_that_is_too_long(sandbox, open_client):
    async with open_client() as client:
        with pytest.raises(InputError):
            await client.request("GET", f"/{'a' * 70_000}")

    assert sandbox.calls == ()


@pytest.mark.parametrize("key", ["", " ", "two words", "schlüssel-aus-k", "line\nbreak-of-key", None, 7])
def test_key_that_is_none(key):
    with pytest.raises(AuthenticationError) as caught:
        AsyncSegments(key)

    assert "SEGMENTS_API_KEY" in str(caught.value)
    assert not isinstance(key, str) or not key.strip() or key not in str(caught.value)
    assert (caught.value.status, caught.value.url) == (None, None)


async def test_key_from_a_file_with_its_line_break(sandbox, clock):
    async with AsyncSegments(f"{KEY}\n", base_url=sandbox.url) as client:
        assert (await client.request("GET", "/user"))["username"] == "sandbox"


async def test_transport_of_the_user_gets_no_key_for_the_storage(clock, tmp_path):
    """One transport for both hosts: each request is built from scratch."""
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, "authorization" in request.headers))
        if request.url.host == "s3.test":
            return httpx.Response(204)
        post = {"url": "https://s3.test/", "fields": {"key": "a"}}
        return httpx.Response(201, json={"url": "https://s3.test/a", "presignedPostFields": post})

    async with AsyncSegments(KEY, transport=httpx.MockTransport(answer), clock=clock.settings) as client:
        await client.assets.upload(b"png", "violet.png")

    assert seen == [("api.segments.ai", True), ("s3.test", False)]
