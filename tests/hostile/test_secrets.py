"""The API key is in no frame of an error, whatever the transport and however the error arises."""

from __future__ import annotations

import logging
import pickle
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
    "echo in a header": lambda peer, request: peer.send(answer({}, 400, {"X-Request-Id": key_of(request)})),
    "echo in a page": lambda peer, request: peer.send(answer(b"<html>" + key_of(request).encode())),
    "echo in a wrong result": lambda peer, request: peer.send(answer(b'{"a": "%s"' % key_of(request).encode())),
    "echo in a redirect": lambda peer, request: peer.send(
        answer(b"", 302, {"Location": f"https://elsewhere.test/?a={key_of(request)}"})
    ),
    "echo for a status": lambda peer, request: peer.send(f"{key_of(request)}\r\n\r\n".encode()),
    "echo for a header": lambda peer, request: peer.send(f"HTTP/1.1 200 OK\r\n{key_of(request)}\r\n\r\n".encode()),
    "stall": lambda peer, _: peer.stall(),
}


def key_of(request) -> str:
    return request.headers["authorization"].partition(" ")[2]


@WIRES
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ANSWERS)
async def test_error_of_a_call(connect, caplog, name, method):
    """Nor is it in its words, its pickle and the logs of all libraries."""
    caplog.set_level(logging.DEBUG)
    with RawServer(ANSWERS[name]) as api, within(5):
        async with connect(api.url, retry=ONCE, timeout=0.3) as client:
            with pytest.raises(SegmentsError) as caught:
                await client.request(method, "/x/", json={"a": "b" * 500_000} if method == "POST" else None)

    assert KEY not in frames_of(caught.value)
    assert KEY not in repr(caught.value) + str(vars(caught.value)) + caplog.text
    assert KEY.encode() not in pickle.dumps(caught.value)


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


SIGNATURE = "5f4dcc3b5aa765d61d8327deb882cf99"
ADDRESS = f"https://bucket.test/a.png?X-Amz-Expires=60&X-Amz-Signature={SIGNATURE}"
OF_S3 = f"""<Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message>
<StringToSign>a {SIGNATURE}</StringToSign><SignatureProvided>{SIGNATURE}</SignatureProvided>
<CanonicalRequest>GET {SIGNATURE}</CanonicalRequest><Token-0>{SIGNATURE}</Token-0></Error>"""
WORDS = {
    "detail": answer({"detail": f"{ADDRESS} cannot be fetched."}, 400),
    "field": answer({"attributes": {"image": {"url": [f"Not an image: {ADDRESS}."]}}}, 400),
    "name of a field": answer({ADDRESS: ["Wrong."]}, 400),
    "200": answer({"detail": f"{ADDRESS} cannot be fetched."}),
    "S3": answer(OF_S3.encode(), 403, {"Content-Type": "application/xml"}),
    "page": answer(f"<html><title>No {ADDRESS} here</title></html>".encode(), 404),
    "no head": b"nonsense\r\n\r\n",
}


@WIRES
@pytest.mark.parametrize("words", WORDS)
async def test_signature_in_the_words_of_a_refusal(connect, words):
    """No error contains it, whichever host answers, and wherever in the answer it is."""
    with RawServer(lambda peer, _: peer.send(WORDS[words])) as server, within(5):
        async with connect(server.url, retry=ONCE, timeout=0.3) as client:
            with pytest.raises(SegmentsError) as of_api:
                await client.labels.delete("u")
            errors = [of_api.value]
            if words != "200":
                with pytest.raises(SegmentsError) as of_storage:
                    await client.assets.read(f"{server.url}/a.png?X-Amz-Signature={SIGNATURE}")
                errors.append(of_storage.value)

    for error in errors:
        assert SIGNATURE not in "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
        assert SIGNATURE.encode() not in pickle.dumps(error)


@WIRES
async def test_signature_of_a_bad_address(connect):
    """Libraries repeat the whole address."""
    async with connect("http://127.0.0.1:9", retry=ONCE) as client:
        with pytest.raises(SegmentsError) as caught:
            await client.assets.read(f"http://127.0.0.1:99999/a.png?sig={SIGNATURE}")
    assert SIGNATURE not in "".join(traceback.format_exception(caught.value))
    assert SIGNATURE.encode() not in pickle.dumps(caught.value)


@WIRES
async def test_what_an_instrumentation_sees(connect, monkeypatch):
    """It cannot be masked there, as the security page says: the request is sent as it is."""
    seen = []
    send = httpx.AsyncClient.send

    async def traced(client, request, **options):
        seen.append((str(request.url), request.headers.get("authorization", "")))
        return await send(client, request, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", traced)
    with RawServer(lambda peer, _: peer.send(answer({"done": True}))) as api, within(5):
        async with connect(api.url) as client:
            await client.request("GET", "/x/")
            await client.assets.read(f"{api.url}/a.png?X-Amz-Signature={SIGNATURE}")

    assert [KEY in header for _, header in seen] == [True, False]
    assert [SIGNATURE in url for url, _ in seen] == [False, True]


async def test_what_hooks_of_the_callers_client_see():
    """Likewise."""
    seen = []

    async def look(request):
        seen.append((str(request.url), request.headers.get("authorization", "")))

    with RawServer(lambda peer, _: peer.send(answer({"done": True}))) as api, within(5):
        async with (
            httpx.AsyncClient(verify=False, event_hooks={"request": [look]}) as theirs,
            AsyncSegments(KEY, base_url=api.url, http_client=theirs) as client,
        ):
            await client.request("GET", "/x/")
            await client.assets.read(f"{api.url}/a.png?X-Amz-Signature={SIGNATURE}")

    assert [KEY in header for _, header in seen] == [True, False]
    assert [SIGNATURE in url for url, _ in seen] == [False, True]


@WIRES
async def test_local_variables_of_the_caller(connect):
    """A presigned URL is there, in the frames of the caller and of what it was passed to; the key is not."""
    url = f"http://127.0.0.1:9/a.png?X-Amz-Signature={SIGNATURE}"
    async with connect("http://127.0.0.1:9", retry=ONCE) as client:
        with pytest.raises(SegmentsError) as caught:
            await client.assets.read(url)
    del client
    assert SIGNATURE in frames_of(caught.value)
    assert KEY not in frames_of(caught.value)
