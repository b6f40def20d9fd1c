"""Every wait ends: no server, however active it seems, delays a call beyond its limits."""

from __future__ import annotations

import itertools
import time

import pytest
from raw_server import RawServer, answer, head
from raw_storage import uploads_go_to
from wires import ONCE, WIRES, within

from segments_async import (
    Clock,
    LabelPut,
    OutcomeUnknownError,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
)

pytestmark = pytest.mark.anyio

READ = 0.3
"""Seconds to wait for one answer; every server here sends something more often, or nothing."""
SLACK = 1.0
CONTINUE = head("100 Continue")
SPACES = itertools.repeat(32)


def chunks(peer):
    peer.send(head(200, {"Transfer-Encoding": "chunked"}))
    peer.repeat(b"1\r\n \r\n")


def zeros(peer):
    """A gzip stream that never ends and has no content."""
    peer.send(head(200, {"Content-Encoding": "gzip"}) + b"\x1f\x8b\x08\x08\0\0\0\0\0\0")
    peer.repeat(b"a")  # the name of a file, which ends with a null


def start_then(first, peer_method):
    def do(peer):
        peer.send(first)
        peer_method(peer)

    return do


SLOW = {
    "silence": lambda peer: peer.stall(),
    "status line": start_then(b"HTTP/1.1 200 ", lambda peer: peer.drip(itertools.repeat(97))),
    "header": start_then(b"HTTP/1.1 200 OK\r\nX-Slow: ", lambda peer: peer.drip(itertools.repeat(97))),
    "headers": start_then(b"HTTP/1.1 200 OK\r\n", lambda peer: peer.repeat(b"X-Slow: a\r\n")),
    "100 Continue": lambda peer: peer.repeat(CONTINUE),
    "102 Processing": lambda peer: peer.repeat(head("102 Processing")),
    "body": start_then(answer(b"", length=10_000), lambda peer: peer.drip(SPACES)),
    "body until it closes": start_then(answer(b"", length=None), lambda peer: peer.drip(SPACES)),
    "chunks": chunks,
    "gzip": zeros,
    "half a body": start_then(answer(b'{"a":', length=10_000), lambda peer: peer.stall()),
    "error": start_then(answer(b"", 500, length=10_000), lambda peer: peer.drip(SPACES)),
}
LIMITS = {
    "once": (RetryPolicy(attempts=1, total=READ), READ),
    "often": (RetryPolicy(attempts=50, base=0, total=0.6), 0.6),
    "no total": (RetryPolicy(attempts=1, total=0), READ),
}


def slowly(slow):
    return RawServer(lambda peer, request: SLOW[slow](peer))


SOME = ("silence", "body", "100 Continue", "headers")
"""One of each sort, where the rest adds nothing but time."""


@WIRES
@pytest.mark.parametrize(
    ("slow", "limit"), [(slow, limit) for slow in SLOW for limit in LIMITS if limit == "once" or slow in SOME]
)
async def test_call(connect, slow, limit):
    """A call is over `max(total, read timeout)` after it was first sent."""
    retry, seconds = LIMITS[limit]
    with slowly(slow) as api, within(seconds + SLACK):
        async with connect(api.url, timeout=READ, retry=retry) as client:
            with pytest.raises(RequestTimeoutError) as caught:
                await client.request("GET", "/x/")

    assert caught.value.sent
    assert "0x" not in str(caught.value)
    assert "scope" not in str(caught.value)


@WIRES
@pytest.mark.parametrize("slow", SOME)
async def test_write(connect, slow):
    """The outcome of a POST that was cut off so is unknown."""
    with slowly(slow) as api, within(READ + SLACK):
        async with connect(api.url, timeout=READ, retry=LIMITS["once"][0]) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.request("POST", "/x/", json={})

    assert len(api.requests) == 1


@WIRES
@pytest.mark.parametrize("slow", SOME)
async def test_next_call(connect, slow):
    """The slot of a call that was cut off is free again."""

    def script(peer, request):
        if request.path == "/slow/":
            SLOW[slow](peer)
        else:
            peer.send(answer({"asked": request.path}))

    with RawServer(script) as api, within(READ + SLACK):
        async with connect(api.url, timeout=READ, retry=LIMITS["once"][0], max_connections=1) as client:
            with pytest.raises(TransportError):
                await client.request("GET", "/slow/")
            assert await client.request("GET", "/next/") == {"asked": "/next/"}


@WIRES
async def test_server_that_reads_slowly(connect):
    """So is a call whose body is taken a little at a time."""

    def script(peer, request):
        while len(request.body) < request.length:
            peer.read_body(request, 1000)
            peer.pause(0.02)

    with RawServer(script, early=True, receive_bytes=4096) as api, within(READ + SLACK):
        async with connect(api.url, timeout=READ, retry=LIMITS["once"][0]) as client:
            with pytest.raises(RequestTimeoutError):
                await client.request("PUT", "/x/", json="a" * 8_000_000)


@WIRES
@pytest.mark.parametrize("slow", ["body", "100 Continue", "headers"])
async def test_bulk_run(connect, slow):
    """The items of a run end in time as well, as one group of failures."""
    retry = RetryPolicy(bulk_attempts=2, base=0, cap=0, total=READ)
    with slowly(slow) as api, within(READ * 2 + SLACK):
        async with connect(api.url, timeout=READ, retry=retry) as client:
            report = await client.labels.put_many([LabelPut(f"u-{n}", {"annotations": []}) for n in range(4)])

    assert report.succeeded == 0
    assert report.total == 4
    assert len(report.error_groups) == 1
    assert len(report.retry_items) == 4


@WIRES
@pytest.mark.parametrize("slow", ["silence", "body", "pending"])
async def test_waiting_for_a_release(connect, slow):
    """`timeout` bounds the whole wait, each look included."""

    def script(peer, request):
        if slow == "pending":
            peer.send(answer({"name": "v1", "status": "PENDING"}))
        else:
            SLOW[slow](peer)

    with RawServer(script) as api, within(0.5 + SLACK):
        async with connect(api.url) as client:
            with pytest.raises(RequestTimeoutError):
                await client.releases.wait("jane/flowers", "v1", timeout=0.5, poll=0.1)


def fast_clock():
    """A clock a thousand times as fast, so that what takes minutes is over in a moment."""
    return Clock(monotonic=lambda: time.monotonic() * 1000)


SLOW_FILES = {
    "drip": start_then(answer(b"", length=100_000_000), lambda peer: peer.drip(SPACES)),
    "until it closes": start_then(answer(b"", length=None), lambda peer: peer.drip(SPACES)),
    "chunks": chunks,
    "headers": SLOW["headers"],
    "100 Continue": SLOW["100 Continue"],
}


@WIRES
@pytest.mark.parametrize("way", ["read", "download_many"])
@pytest.mark.parametrize("slow", SLOW_FILES)
async def test_slow_file(connect, tmp_path, slow, way):
    """A file may take hours, but it has a minimum rate: a byte a minute is too slow."""
    with RawServer(lambda peer, _: SLOW_FILES[slow](peer)) as host, within(4):
        async with connect("http://127.0.0.1:1", timeout=2, retry=ONCE, clock=fast_clock()) as client:
            if way == "read":
                with pytest.raises(RequestTimeoutError):
                    await client.assets.read(f"{host.url}/a.png")
            else:
                [outcome] = (await client.assets.download_many([f"{host.url}/a.png"], tmp_path)).results
                assert isinstance(outcome.error, RequestTimeoutError)
                assert outcome.retryable


@WIRES
async def test_slow_upload(connect):
    """Uploads have a minimum rate too."""

    def script(peer, request):
        while len(request.body) < request.length:
            peer.read_body(request, 100)
            peer.pause(0.02)

    with (
        RawServer(script, early=True, receive_bytes=4096) as storage,
        uploads_go_to(storage.url) as api,
        within(4),
    ):
        async with connect(api.url, timeout=2, retry=ONCE, clock=fast_clock()) as client:
            with pytest.raises(RequestTimeoutError):
                await client.assets.upload(bytes(8_000_000), "a.png")


@WIRES
async def test_file_that_takes_its_time(connect):
    """What comes steadily is not cut off by the limits of calls."""
    piece = bytes(100_000)

    def script(peer, request):
        peer.send(answer(b"", length=len(piece) * 10, headers={"Content-Type": "image/png"}))
        for _ in range(10):
            peer.send(piece)
            peer.pause(0.1)

    with RawServer(script) as host, within(3):
        async with connect("http://127.0.0.1:1", timeout=READ, retry=RetryPolicy(attempts=1, total=0.2)) as client:
            assert len(await client.assets.read(f"{host.url}/a.png")) == 1_000_000

    assert len(host.requests) == 1
