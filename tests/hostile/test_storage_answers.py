"""A host that answers before it has read: its answer is what counts, and nothing is sent again."""

from __future__ import annotations

import pytest
from raw_server import RawServer, answer, head
from raw_storage import EARLY_REFUSALS, first_then, refusal, uploads_go_to
from wires import OWN_WIRES, WIRES, within

from segments_async import ApiError
from segments_async.resources.assets.upload_once import MAX_RENEWALS

pytestmark = pytest.mark.anyio

FILE = bytes(20_000_000)
TIMEOUT = 2.0


@OWN_WIRES
@pytest.mark.parametrize("kind", ["bytes", "path"])
@pytest.mark.parametrize("how", EARLY_REFUSALS)
async def test_upload_that_is_refused_early(connect, tmp_path, how, kind):
    """The storage's 403 is the error, in its words; it is said once."""
    file = tmp_path / "a.png"
    file.write_bytes(FILE)
    with (
        RawServer(EARLY_REFUSALS[how], early=True, receive_bytes=65536) as storage,
        uploads_go_to(storage.url) as api,
        within(5),
    ):
        async with connect(api.url, timeout=TIMEOUT) as client:
            with pytest.raises(ApiError, match=r"AccessDenied: .*Policy expired") as caught:
                await client.assets.upload(file if kind == "path" else FILE, "a.png")

    assert (type(caught.value), caught.value.status) == (ApiError, 403)
    assert len(storage.requests) == 1


@WIRES
async def test_upload_that_is_put_off_early(connect):
    """A 503 that came early is a 503: the whole file goes again."""

    def put_off(peer):
        peer.send(refusal(503))
        peer.close()

    def take(peer, request):
        peer.read_body(request)
        peer.send(head(204))

    with RawServer(first_then(put_off, take), early=True) as storage, uploads_go_to(storage.url) as api, within(5):
        async with connect(api.url, timeout=TIMEOUT) as client:
            await client.assets.upload(FILE, "a.png")

    assert len(storage.requests) == 2
    assert FILE in storage.requests[1].body


@WIRES
async def test_upload_that_arrives_too_slowly(connect):
    """S3's 400 for a body that it waited for too long says nothing about the file, which is sent again."""
    slow = b"<Error><Code>RequestTimeout</Code><Message>Your socket connection was not read from.</Message></Error>"

    def too_slow(peer):
        peer.send(answer(slow, 400, {"Content-Type": "application/xml", "Connection": "close"}))

    def take(peer, request):
        peer.read_body(request)
        peer.send(head(204))

    with RawServer(first_then(too_slow, take)) as storage, uploads_go_to(storage.url) as api, within(5):
        async with connect(api.url, timeout=TIMEOUT) as client:
            await client.assets.upload(b"rose", "a.png")

    assert len(storage.requests) == 2


@OWN_WIRES
@pytest.mark.parametrize("how", ["close", "no more"])
async def test_call_that_is_too_large(connect, how):
    """A balancer's 413 before the body was read is the error of that call."""

    def refuse(peer, request):
        peer.read_body(request, 1000)
        peer.send(answer(b"<html><title>413 Too large</title></html>", 413, {"Connection": "close"}))
        if how == "close":
            peer.close()
        else:
            peer.stall()

    with RawServer(refuse, early=True, receive_bytes=65536) as api, within(5):
        async with connect(api.url, timeout=TIMEOUT) as client:
            with pytest.raises(ApiError, match="413 Too large"):
                await client.request("PUT", "/x/", json="a" * 8_000_000)

    assert len(api.requests) == 1


@OWN_WIRES
async def test_many_uploads_that_are_refused_early(connect, tmp_path):
    """In a bulk run, each is reported in the storage's words, equal ones together; expired addresses are renewed."""
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file in files:
        file.write_bytes(FILE[:5_000_000])

    def serve(peer, request):
        if request.path == "/assets/":
            url = f"http://127.0.0.1:{storage.port}"
            peer.send(answer({"url": f"{url}/a", "presignedPostFields": {"url": url, "fields": {}}}, 201))
        else:
            peer.send(answer([]))

    with (
        RawServer(EARLY_REFUSALS["close"], early=True, receive_bytes=65536) as storage,
        RawServer(serve) as api,
        within(8),
    ):
        async with connect(api.url, timeout=TIMEOUT) as client:
            report = await client.samples.upload_files("jane/flowers", [str(file) for file in files])

    assert report.failed == 3
    [words] = report.error_groups
    assert "Policy expired" in words
    assert len(storage.requests) == 3 * (1 + MAX_RENEWALS)
