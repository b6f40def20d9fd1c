"""The API key is in no frame of an error, whatever the transport and however the error arises."""

from __future__ import annotations

import logging
import traceback

import anyio
import httpx
import pytest
from raw_server import RawServer, answer
from wires import KEY, ONCE, WIRES, within

from segments_async import AsyncSegments, AuthenticationError, Hooks, InputError, RetryPolicy, SegmentsError

pytestmark = pytest.mark.anyio


def frames_of(error: BaseException) -> str:
    """Show what a tool shows that prints the local variables of each frame, of the cause and context too."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


ANSWERS = {
    "reset": lambda peer, _: peer.reset(),
    "nothing": lambda peer, _: peer.close(),
    "nonsense": lambda peer, _: peer.send(b"\0" * 50),
    "half a head": lambda peer, _: (peer.send(b"HTTP/1.1 200 OK\r\nContent-Le"), peer.close()),
    "half a body": lambda peer, _: (peer.send(answer(b"{}", length=9)), peer.close()),
    "403": lambda peer, _: peer.send(answer({"detail": "No."}, 403)),
    "echo": lambda peer, request: peer.send(answer({"detail": request.headers["authorization"]}, 400)),
    "stall": lambda peer, _: peer.stall(),
}


@WIRES
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ANSWERS)
async def test_error_of_a_call(connect, name, method):
    with RawServer(ANSWERS[name]) as api, within(5):
        async with connect(api.url, retry=ONCE, timeout=0.3) as client:
            with pytest.raises(SegmentsError) as caught:
                await client.request(method, "/x/", json={"a": "b" * 500_000} if method == "POST" else None)

    assert KEY not in frames_of(caught.value)
    assert KEY not in repr(caught.value) + str(vars(caught.value))


@WIRES
async def test_cancelled_call(connect):
    """The frames of a cancellation are those of the transport, in the middle of its work."""
    with RawServer(lambda peer, _: peer.stall()) as api, within(5):
        async with connect(api.url) as client:
            with pytest.raises(TimeoutError) as caught, anyio.fail_after(0.2):
                await client.request("POST", "/x/", json={"a": "b" * 2_000_000})

    assert KEY not in frames_of(caught.value)


@WIRES
async def test_no_connection(connect):
    async with connect("http://127.0.0.1:9", retry=ONCE) as client:
        with pytest.raises(SegmentsError) as caught:
            await client.request("GET", "/x/")
    assert KEY not in frames_of(caught.value)


BAD_ARGUMENTS = {
    "max_connections": {"max_connections": 0},
    "base_url": {"base_url": "ftp://x"},
    "timeout": {"timeout": -1},
    "retry": {"retry": "often"},
    "transport": {"transport": "carrier pigeon"},
    "both": {"transport": httpx.MockTransport(lambda _: None), "http_client": object()},
    "max_answer_mb": {"max_answer_mb": 0},
}


class Keys:
    """Has the key where the frame of a test does not show it."""

    good = KEY
    odd = KEY + "\x00"

    def __repr__(self) -> str:
        return "Keys"


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_constructor_that_raises(name):
    keys = Keys()
    with pytest.raises(InputError) as caught:
        AsyncSegments(keys.good, **BAD_ARGUMENTS[name])
    assert KEY not in frames_of(caught.value)


def test_key_that_is_refused():
    keys = Keys()
    with pytest.raises(AuthenticationError) as caught:
        AsyncSegments(keys.odd)
    assert KEY not in frames_of(caught.value)


def test_derived_client_that_is_refused():
    keys = Keys()
    client = AsyncSegments("another-key")
    with pytest.raises(InputError) as caught:
        client.with_options(api_key=keys.good, max_wait=-1)
    assert KEY not in frames_of(caught.value)


def test_password_in_a_base_url():
    with pytest.raises(InputError) as caught:
        AsyncSegments("some-key", base_url="https://jane:s3cr3t-pass@api.test")
    ours = "".join(part for part in frames_of(caught.value).split("File ") if "segments_async/settings" in part)
    assert "s3cr3t-pass" not in ours


@WIRES
async def test_key_in_a_request_id(connect):
    """A service that echoes the key there: neither errors nor hooks nor outcomes show it."""
    events = []

    def script(peer, request):
        key = request.headers["authorization"].partition(" ")[2]
        peer.send(answer({"detail": "No."}, 500, {"X-Request-Id": f"id-{key}-\x1b[31m" + "x" * 500}))

    hooks = Hooks(on_response=events.append, on_retry=events.append)
    with RawServer(script) as api, within(5):
        async with connect(api.url, hooks=hooks, retry=RetryPolicy(attempts=2, bulk_attempts=2, base=0)) as client:
            report = await client.labels.delete_many(["075525b3-2ead-4137-8326-e1459ce1b291"])
            with pytest.raises(SegmentsError) as caught:
                await client.request("GET", "/x/")

    [outcome] = report.results
    for found in (outcome.request_id, caught.value.request_id, *(event.request_id for event in events)):
        assert found is not None
        assert found.startswith("id-***-")
        assert found.isprintable()
        assert len(found) <= 128


@pytest.mark.parametrize(
    "key", ["sig", "Signature", "X-Amz-Signature", "X-Amz-Security-Token", "X-Goog-Credential", "token"]
)
@WIRES
async def test_signature_in_logs(connect, caplog, key):
    """Of httpx, of httpcore and of this package, at DEBUG, also where a redirect names it."""
    caplog.set_level(logging.DEBUG)

    def script(peer, request):
        if request.path.endswith("a.png"):
            location = f"/b.png?{key}=s3cr3t-signature"
            peer.send(answer(b"", 302, {"Location": location}))
        else:
            peer.send(answer(b"png", 404, {"Content-Type": "image/png"}))

    with RawServer(script) as host, within(5):
        async with connect("http://127.0.0.1:1", retry=ONCE) as client:
            with pytest.raises(SegmentsError) as caught:
                await client.assets.read(f"{host.url}/a.png?{key}=s3cr3t-signature")

    assert "s3cr3t-signature" not in caplog.text
    assert "s3cr3t-signature" not in str(caught.value)
