"""A small answer that expands a lot needs at most the limit and a bounded amount more."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from functools import cache

import pytest
from hostile_shapes import SHAPES
from raw_server import RawServer, answer
from wires import ONCE, WIRES, within

from segments_async import ApiError, DecodeError, SegmentsError, open_release
from segments_async._serialization.decoded_size import decoded_size

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MB = 1_000_000
LIMIT = 8
REST = 64
DATASET = {"name": "flowers", "task_type": "bboxes", "task_attributes": {}, "labelsets": [{"name": "ground-truth"}]}
SAMPLE = {"name": "a.png", "attributes": {"image": {"url": "https://x.test/a.png"}}, "labels": {}}


@cache
def bomb() -> bytes:
    """1 GiB of zeros, in about a megabyte."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    piece = bytes(1024 * 1024)
    return b"".join([*(compressor.compress(piece) for _ in range(1024)), compressor.flush()])


ANSWERS = {
    "gzip": lambda: (bomb(), {"Content-Encoding": "gzip"}, 200),
    "twice": lambda: (gzip.compress(bomb()), {"Content-Encoding": "gzip, gzip"}, 200),
    "error": lambda: (bomb(), {"Content-Encoding": "gzip"}, 400),
    "endless": lambda: (None, {}, 200),
    "endless error": lambda: (None, {}, 500),
}


@WIRES
@pytest.mark.parametrize("name", ANSWERS)
async def test_answer(connect, name):
    body, headers, status = ANSWERS[name]()

    def script(peer, _):
        if body is not None:
            peer.send(answer(body, status, headers))
        else:
            peer.send(answer(b"", status, headers, length=10**12))
            peer.send_all(b"x" * 65536 for _ in range(16 * 100))

    with RawServer(script) as api, within(20):
        async with connect(api.url, retry=ONCE, max_answer_mb=LIMIT) as client:
            tracemalloc.start()
            try:
                with pytest.raises(SegmentsError) as caught:
                    await client.request("GET", "/x/")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()

    assert peak < (LIMIT + REST) * MB
    if "error" in name:
        assert isinstance(caught.value, ApiError)
        assert caught.value.status == status
    elif name != "twice":
        assert isinstance(caught.value, DecodeError)
        assert "max_answer_mb=8" in str(caught.value)


@WIRES
@pytest.mark.parametrize(("name", "status"), [*((name, 200) for name in SHAPES), ("empty lists", 400)])
async def test_values(connect, name, status):
    """8 kB that mean 8 MB of text, and up to 400 MB of values: refused before they are decoded, or small enough."""
    text = SHAPES[name](LIMIT * MB - 100)
    answered = answer(gzip.compress(text, 1), status, {"Content-Encoding": "gzip"})

    with RawServer(lambda peer, _: peer.send(answered)) as api, within(20):
        async with connect(api.url, retry=ONCE, max_answer_mb=LIMIT) as client:
            tracemalloc.start()
            try:
                if status == 200 and decoded_size(text) < REST * MB:
                    await client.request("GET", "/x/")
                else:
                    with pytest.raises(SegmentsError) as caught:
                        await client.request("GET", "/x/")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()

    # Of the 12 bytes that orjson reserves for each of the text, it uses what its document needs.
    assert peak - 12 * len(text) < (LIMIT + REST) * MB
    if status == 200 and decoded_size(text) >= REST * MB:
        assert isinstance(caught.value, DecodeError)
        assert f"more than max_answer_mb={LIMIT} allows" in str(caught.value)


@WIRES
async def test_the_error_says_which_limit_would_do(connect):
    text = SHAPES["pairs"](4 * MB - 100)
    with RawServer(lambda peer, _: peer.send(answer(text))) as api, within(20):
        async with connect(api.url, retry=ONCE, max_answer_mb=4) as client:
            with pytest.raises(DecodeError, match=r"may take 111 MB of memory, .* 48 would allow it") as caught:
                await client.request("GET", "/x/")
        async with connect(api.url, retry=ONCE, max_answer_mb=48) as client:
            assert len(await client.request("GET", "/x/")) == 399_990
    assert caught.value.payload is None


@WIRES
async def test_answer_within_the_limit(connect):
    """The limit counts what is decoded, to the byte."""
    with RawServer(lambda peer, _: peer.send(answer(b'"' + b"x" * (MB - 2) + b'"'))) as api, within(10):
        async with connect(api.url, retry=ONCE, max_answer_mb=1) as client:
            assert len(await client.request("GET", "/x/")) == MB - 2
        async with connect(api.url, retry=ONCE, max_answer_mb=0.999) as client:
            with pytest.raises(DecodeError, match="larger than max_answer_mb"):
                await client.request("GET", "/x/")


@WIRES
async def test_sample_of_a_compressed_release(connect):
    """A few kilobytes that mean one sample of 8 MB: it is left out before it is decoded."""
    large = {**SAMPLE, "metadata": "HERE"}
    written = json.dumps({"name": "v1", "dataset": {**DATASET, "samples": [SAMPLE, large, SAMPLE]}})
    body = gzip.compress(written.replace('"HERE"', "[%s0]" % ("[]," * 3_000_000)).encode())
    assert len(body) < 100_000
    served = answer(body, headers={"Content-Encoding": "gzip"})
    with RawServer(lambda peer, _: peer.send(served)) as host, within(20):
        async with (
            connect("http://127.0.0.1:1", retry=ONCE) as client,
            client.releases.open(f"{host.url}/v1.json") as downloaded,
            open_release(downloaded.path, max_sample_mb=LIMIT) as release,
            client.releases.iterate(release, images=False, on_error="skip") as items,
        ):
            assert [item.sample.name async for item in items] == ["a.png", "a.png"]
            [skipped] = items.skipped
    assert "of at most 8" in str(skipped.error)
