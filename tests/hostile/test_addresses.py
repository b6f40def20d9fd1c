"""Odd addresses and nested bodies: each ends in one of our errors, and affects nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from raw_server import RawServer, answer, head
from raw_storage import uploads_go_to
from wires import ONCE, WIRES, within

from segments_async import (
    ApiError,
    DecodeError,
    InputError,
    LabelPut,
    OutcomeUnknownError,
    SegmentsError,
    TransportError,
)

pytestmark = pytest.mark.anyio

ADDRESSES = {
    "large port": "http://127.0.0.1:99999/a.png",
    "huge port": "http://127.0.0.1:" + "9" * 5000 + "/a.png",
    "negative port": "http://127.0.0.1:-1/a.png",
    "port 0": "http://127.0.0.1:0/a.png",
    "words for a port": "http://127.0.0.1:http/a.png",
    "empty label": "http://a..b/a.png",
    "long label": "http://" + "a" * 64 + ".example/a.png",
    "long host": "http://" + "a." * 200 + "example/a.png",
    "odd punycode": "http://xn--a/a.png",
    "dotted i": "http://\u0130.example/a.png",
    "emoji": "http://\U0001f4a9.invalid/a.png",
    "joiner": "http://a\u200db.example/a.png",
    "space": "http://a b/a.png",
    "percent": "http://%zz/a.png",
    "null": "http://a\0b/a.png",
    "surrogate": "http://127.0.0.1/\ud800.png",
    "no host": "http:///a.png",
    "half a bracket": "http://[::1/a.png",
    "no address": "http://[not-an-address]/a.png",
    "scope": "http://[fe80::1%25nowhere]/a.png",
    "very long": "http://127.0.0.1:1/" + "a" * 70_000,
}
TARGETS = {
    "script": "javascript:1",
    "file": "file:///etc/passwd",
    "other scheme": "ftp://127.0.0.1/a.png",
    **{
        name: ADDRESSES[name]
        for name in ("large port", "negative port", "empty label", "long label", "half a bracket", "port 0")
    },
    "odd bytes": "http://\xff\xfe/a.png",
    "itself": "",
}
PNG = answer(b"png", 200, {"Content-Type": "image/png"})


def host_script(peer, request):
    """A host of files, some of which redirect."""
    name = request.path.removeprefix("/to/")
    if request.path.startswith("/to/"):
        location = TARGETS[name.replace("_", " ")] or request.path
        peer.send(head(302, {"Location": location, "Content-Length": 0}))
    else:
        peer.send(PNG)


async def check_among_good_ones(connect, host, bad, folder):
    """Fetch one bad address among two good ones, and look at what became of each."""
    async with connect("http://127.0.0.1:1", retry=ONCE, timeout=3) as client:
        report = await client.assets.download_many([f"{host.url}/1.png", bad, f"{host.url}/2.png"], folder)
        with pytest.raises(SegmentsError):
            await client.assets.read(bad)
    assert [outcome.status for outcome in report.results] == ["created", "failed", "created"]
    assert isinstance(report.results[1].error, SegmentsError)
    assert len(str(report.results[1].error)) < 10_000
    assert str(report.results[1].error).isprintable()


@WIRES
@pytest.mark.parametrize("address", ADDRESSES)
async def test_file(connect, tmp_path, address):
    """One bad address is that item's failure."""
    with RawServer(host_script) as host, within(6):
        await check_among_good_ones(connect, host, ADDRESSES[address], tmp_path)


@WIRES
@pytest.mark.parametrize("target", TARGETS)
async def test_redirect(connect, tmp_path, target):
    """So is one that is sent to a bad address."""
    with RawServer(host_script) as host, within(6):
        await check_among_good_ones(connect, host, f"{host.url}/to/{target.replace(' ', '_')}", tmp_path)


@WIRES
async def test_credentials(connect, tmp_path):
    """A user in an address is no crash, and in no message."""
    with RawServer(host_script) as host, within(4):
        bad = f"http://jane:hunter2@127.0.0.1:{host.port}/a.png"
        async with connect("http://127.0.0.1:1", retry=ONCE) as client:
            report = await client.assets.download_many([f"{host.url}/1.png", bad, f"{host.url}/2.png"], tmp_path)

    first, odd, last = report.results
    assert (first.status, last.status) == ("created", "created")
    assert odd.status in {"created", "failed"}
    assert "hunter2" not in str(odd.error) + repr(odd.error)


@WIRES
@pytest.mark.parametrize("address", ADDRESSES)
async def test_upload(connect, address):
    """The service may name such an address for an upload; then nothing was uploaded."""
    if address == "surrogate":
        pytest.skip("JSON cannot say it")
    with uploads_go_to(ADDRESSES[address]) as api, within(6):
        async with connect(api.url, retry=ONCE, timeout=3) as client:
            with pytest.raises(SegmentsError) as caught:
                await client.assets.upload(b"png", "a.png")

    assert not isinstance(caught.value, OutcomeUnknownError)
    assert getattr(caught.value, "sent", False) is False


@WIRES
@pytest.mark.parametrize("address", [name for name in ADDRESSES if name not in {"very long", "surrogate"}])
async def test_service(connect, address):
    """A `base_url` like that is refused at once, or at the first call; nothing was sent, not even perhaps."""
    with within(6), pytest.raises(SegmentsError) as caught:
        async with connect(ADDRESSES[address].removesuffix("/a.png"), retry=ONCE, timeout=3) as client:
            await client.request("POST", "/x/", json={})

    assert isinstance(caught.value, InputError) or (
        isinstance(caught.value, TransportError) and caught.value.sent is False
    )


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


DEPTHS = pytest.mark.parametrize("depth", [500, 1_000, 5_000, 100_000])


@WIRES
@DEPTHS
async def test_nested_error(connect, depth):
    """An error is classified by its status, however deep its body."""

    def script(peer, request):
        if "u-3" in request.path:
            peer.send(answer(nested(depth), 400))
        else:
            peer.send(answer({"label_type": "vector", "attributes": {"annotations": []}}))

    with RawServer(script) as api, within(4):
        async with connect(api.url) as client:
            report = await client.labels.put_many([LabelPut(f"u-{n}", {"annotations": []}) for n in range(6)])
            with pytest.raises(ApiError) as caught:
                await client.labels.get("u-3", "gt")

    assert caught.value.status == 400
    assert [outcome.status for outcome in report.results] == ["done", "done", "done", "failed", "done", "done"]


@WIRES
@DEPTHS
async def test_nested_result(connect, depth):
    """A result that is too deep is a DecodeError, if it is no result."""
    with RawServer(lambda peer, _: peer.send(answer(nested(depth)))) as api, within(4):
        async with connect(api.url, retry=ONCE) as client:
            for call in (client.users.me, lambda: client.labels.get("u", "gt"), lambda: client.samples.get("u")):
                with pytest.raises(DecodeError):
                    await call()
            with suppress(DecodeError):
                await client.request("GET", "/x/")
