"""Files are whole, and of one version: under a content coding, and after a cut."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib

import pytest
from raw_server import RawServer, answer, head
from raw_storage import file_answer, first_then, range_start
from wires import ONCE, QUICK, WIRES, within

from segments_async import ApiError, DecodeError, InputError, ServerError, TransportError

pytestmark = pytest.mark.anyio

NO_API = "http://127.0.0.1:1"
FILE = random.Random(1).randbytes(300_000)  # so that it does not compress
ZIPPED = gzip.compress(FILE)
PNG = {"Content-Type": "image/png"}


def coded(content, coding="gzip", **options):
    return answer(content, 200, PNG | {"Content-Encoding": coding} | options.pop("headers", {}), **options)


async def fetch(client, url, folder):
    """Fetch both ways; give what came of each."""
    try:
        read = await client.assets.read(url)
    except TransportError as error:
        read = error
    [outcome] = (await client.assets.download_many([url], folder)).results
    return read, outcome.error if outcome.value is None else outcome.value[0].read_bytes()


WHOLE = {
    "one member": coded(ZIPPED),
    "two members": coded(gzip.compress(FILE[:1000]) + gzip.compress(FILE[1000:])),
    "an empty member": coded(gzip.compress(b"") + ZIPPED + gzip.compress(b"")),
    "a hundred members": coded(b"".join(gzip.compress(FILE[at : at + 3000]) for at in range(0, len(FILE), 3000))),
    "deflate": coded(zlib.compress(FILE), "deflate"),
    "in capitals": coded(ZIPPED, "GZIP"),
    "identity": coded(FILE, "identity"),
    "until it closes": coded(ZIPPED, headers={"Connection": "close"}, length=None),
}


@WIRES
@pytest.mark.parametrize("form", WHOLE)
async def test_coded(connect, tmp_path, form):
    """All that was sent is read, however many members it has."""

    def script(peer, request):
        peer.send(WHOLE[form])
        if form == "until it closes":
            peer.close()

    with RawServer(script) as host, within(4):
        async with connect(NO_API) as client:
            read, saved = await fetch(client, f"{host.url}/a.png", tmp_path)

    assert read == FILE
    assert saved == FILE


CUT = {
    "half": coded(ZIPPED[:150_000]),
    "one byte missing": coded(ZIPPED[:-1]),
    "no checksum": coded(ZIPPED[:-8]),
    "head of gzip": coded(ZIPPED[:5]),
    "within the second member": coded(gzip.compress(FILE[:1000]) + gzip.compress(FILE[1000:])[:-9]),
    "half of deflate": coded(zlib.compress(FILE)[:150_000], "deflate"),
    "checksum of deflate": coded(zlib.compress(FILE)[:-2], "deflate"),
    "wrong checksum": coded(ZIPPED[:-8] + bytes(8)),
    "cut until it closes": coded(ZIPPED[:150_000], headers={"Connection": "close"}, length=None),
}


@WIRES
@pytest.mark.parametrize("form", CUT)
async def test_coded_and_cut(connect, tmp_path, form):
    """A stream that ends early is a lost connection: asked for again, and no file in the end."""

    def script(peer, request):
        peer.send(CUT[form])
        if form == "cut until it closes":
            peer.close()

    folder = tmp_path / "files"
    with RawServer(script) as host, within(4):
        async with connect(NO_API) as client:
            read, saved = await fetch(client, f"{host.url}/a.png", folder)

    assert isinstance(read, TransportError)
    assert isinstance(saved, TransportError)
    assert len(host.requests) >= 3 * 2  # by each way three times at least
    assert [path for path in folder.iterdir() if not path.name.startswith(".")] == []


@WIRES
async def test_cut_once_under_gzip(connect, tmp_path):
    """It is fetched anew from its beginning."""
    host_script = first_then(lambda peer: peer.send(CUT["half"]), lambda peer, _: peer.send(WHOLE["one member"]))
    with RawServer(host_script) as host, within(4):
        async with connect(NO_API) as client:
            assert await client.assets.read(f"{host.url}/a.png") == FILE

    assert len(host.requests) == 2
    assert "range" not in host.requests[1].headers


OLD, NEW = b"A" * 3_000_000, b"B" * 3_000_000
LONGER = OLD + b"A" * 100


def cut_half_way(peer):
    """The first half of the old version, as a server that dies sends it."""
    peer.send(file_answer(OLD)[: len(OLD) // 2])
    peer.half_close()


def part(content, **options):
    return lambda start: file_answer(content, first=start, **options)


def odd_range(words, content=OLD, status=206):
    return lambda start: answer(content[start:], status, PNG | {"ETag": '"1"', "Content-Range": words.format(start)})


def short_part(start):
    """Less than was asked for, as a host may send."""
    end = min(start + 600_000, len(OLD))
    return odd_range(f"bytes {{}}-{end - 1}/3000000", OLD[:end])(start)


LATER = {
    "same version": (part(OLD), OLD),
    "other version": (part(NEW, tag='"2"'), NEW),
    "other total": (part(LONGER), LONGER),
    "total that lies": (part(OLD, total=len(OLD) + 5), OLD),
    "total unknown": (odd_range("bytes {}-2999999/*"), OLD),
    "weak tag": (part(NEW, tag='W/"1"'), NEW),
    "no tag": (part(NEW, tag=None), NEW),
    "whole": (lambda start: file_answer(NEW, tag='"2"'), NEW),
    "200 that is the rest": (odd_range("bytes {}-2999999/3000000", status=200), OLD),
    "another part": (lambda start: file_answer(OLD, first=start + 7), OLD),
    "from the beginning": (lambda start: file_answer(OLD, first=0), OLD),
    "no range": (lambda start: answer(OLD[start:], 206, PNG | {"ETag": '"1"'}), OLD),
    "no words": (odd_range("pages {}-7/8"), OLD),
    "5,000 digits": (odd_range("bytes {}-2999999/" + "9" * 5000), OLD),
    "first of 5,000 digits": (odd_range("bytes " + "0" * 5000 + "{}-2999999/3000000"), OLD),
    "coded": (lambda start: answer(gzip.compress(OLD[start:]), 206, PNG | {"Content-Encoding": "gzip"}), OLD),
    "starts before": (lambda start: file_answer(OLD, first=start - 5), OLD),
    "ends before": (short_part, OLD),
    "whole as a part": (lambda start: file_answer(NEW, tag='"2"', first=0), NEW),
    "unit in capitals": (odd_range("Bytes {}-2999999/3000000"), OLD),
    "whole and coded": (lambda start: coded(gzip.compress(OLD)), OLD),
    "other tag at each request": (lambda start: file_answer(NEW, tag=f'"{start}"'), NEW),
    "no such part": (lambda start: answer(b"", 416, {"Content-Range": "bytes */3000000"}), OLD),
}


@WIRES
@pytest.mark.parametrize("later", LATER)
async def test_one_version(connect, tmp_path, later):
    """A part is joined to what is of the same strong tag and total only; else the file is fetched anew."""
    make, right = LATER[later]

    def resume(peer, request):
        if "range" in request.headers:
            peer.send(make(range_start(request)))
        else:
            peer.send(file_answer(right, tag='"1"' if right is OLD else '"2"'))

    with RawServer(first_then(cut_half_way, resume)) as host, within(5):
        async with connect(NO_API) as client:
            report = await client.assets.download_many([f"{host.url}/big.bin"], tmp_path)

    [outcome] = report.results
    assert outcome.error is None
    content = outcome.value[0].read_bytes()
    assert [content.count(letter) for letter in (b"A", b"B")] == [right.count(letter) for letter in (b"A", b"B")]
    assert len(content) == len(right)


@WIRES
@pytest.mark.parametrize("status", [200, 206])
async def test_part_that_was_not_requested(connect, status):
    """An answer with a range is what that range says, also at the first request: never the whole file."""
    words = {"ETag": '"1"', "Content-Range": f"bytes 100-{len(FILE) - 1}/{len(FILE)}"}
    with RawServer(lambda peer, _: peer.send(answer(FILE[100:], status, PNG | words))) as host, within(4):
        async with connect(NO_API) as client:
            with pytest.raises(TransportError):
                await client.assets.read(f"{host.url}/a.png")

    assert len(host.requests) == 3


@WIRES
@pytest.mark.parametrize("length", ["9" * 5000, "-5", "3, 3", "three", "\xb3"])
async def test_odd_length(connect, tmp_path, length):
    """A Content-Length that is none is a fault of the connection, or is left aside; never an exception of int()."""

    def script(peer, request):
        peer.send(head(200, PNG | {"Content-Length": length}) + b"png")
        peer.close()

    with RawServer(script) as host, within(4):
        async with connect(NO_API) as client:
            read, saved = await fetch(client, f"{host.url}/a.png", tmp_path)

    for came in (read, saved):
        assert came == b"png" or isinstance(came, TransportError)


@WIRES
@pytest.mark.parametrize("coding", ["gzip, gzip", "deflate, gzip", "br", "gzip; q=1", "a" * 5000])
async def test_coding_that_is_refused(connect, tmp_path, coding):
    """Only one coding is undone, as each multiplies what a small body may become; others were not asked for."""
    with RawServer(lambda peer, _: peer.send(coded(gzip.compress(ZIPPED), coding))) as host, within(4):
        async with connect(NO_API, retry=ONCE) as client:
            read, saved = await fetch(client, f"{host.url}/a.png", tmp_path)

    for error in (read, saved):
        assert isinstance(error, TransportError)
        assert "coding" in str(error)
        assert len(str(error)) < 500


MB = 1_000_000
BOMB = gzip.compress(bytes(300 * MB), 1)
"""1.3 MB that become 300."""


@WIRES
@pytest.mark.parametrize("status", [200, 404])
async def test_memory(connect, status):
    """The size after decompression counts, and what is above the limit is never held."""
    body = answer(BOMB, status, PNG | {"Content-Encoding": "gzip"})
    with RawServer(lambda peer, _: peer.send(body)) as host, within(5):
        async with connect(NO_API, retry=ONCE) as client:
            tracemalloc.start()
            try:
                with pytest.raises(InputError if status == 200 else ApiError) as caught:
                    await client.assets.read(f"{host.url}/a.png", max_bytes=10 * MB)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert len(host.requests) == 1
    assert peak < (10 + 20) * MB
    if status == 200:
        assert "is larger than 10,000,000 bytes" in str(caught.value)


@WIRES
async def test_too_large_by_its_length(connect):
    """A file whose length is known is refused before it is read."""

    def script(peer, request):
        peer.send(answer(b"", length=10 * MB, headers=PNG))
        peer.stall()

    with RawServer(script) as host, within(2):
        async with connect(NO_API, retry=ONCE) as client:
            with pytest.raises(InputError, match="is larger than 1,000 bytes"):
                await client.assets.read(f"{host.url}/a.png", max_bytes=1000)


@WIRES
@pytest.mark.parametrize(("status", "kind"), [(404, ApiError), (503, ServerError), (403, ApiError)])
async def test_large_error(connect, tmp_path, status, kind):
    """At most 64 KiB of an error are read, and it is classified all the same."""

    def script(peer, request):
        peer.send(answer(b"<Error><Code>NoLuck</Code></Error>", status, {"Content-Type": "text/xml"}, length=10**12))
        while True:
            peer.send(b" " * 65536)

    with RawServer(script) as host, within(4):
        async with connect(NO_API, retry=ONCE) as client:
            with pytest.raises(kind, match="NoLuck") as caught:
                await client.assets.read(f"{host.url}/a.png")
            [outcome] = (await client.assets.download_many([f"{host.url}/b.png"], tmp_path)).results

    assert caught.value.status == outcome.error.status == status
    assert len(str(caught.value.body)) <= 65536


@WIRES
@pytest.mark.parametrize("status", [201, 202, 204, 205])
async def test_success_without_a_file(connect, status):
    """What is no file is no success."""
    with RawServer(lambda peer, _: peer.send(head(status, PNG | {"Content-Length": 0}))) as host, within(4):
        async with connect(NO_API, retry=ONCE) as client:
            with pytest.raises(DecodeError, match="received no file"):
                await client.assets.read(f"{host.url}/a.png")


@WIRES
async def test_body_that_is_longer_than_its_range(connect, tmp_path):
    """It is not joined; the file is fetched again from its beginning."""

    def resume(peer, request):
        if "range" in request.headers:
            start = range_start(request)
            words = {"ETag": '"1"', "Content-Range": f"bytes {start}-{start + 9}/{len(OLD)}"}
            peer.send(answer(OLD[start:] + b"more", 206, PNG | words))
        else:
            peer.send(file_answer(OLD))

    with RawServer(first_then(cut_half_way, resume)) as host, within(5):
        async with connect(NO_API) as client:
            [outcome] = (await client.assets.download_many([f"{host.url}/big.bin"], tmp_path)).results

    assert outcome.value[0].read_bytes() == OLD


@WIRES
@pytest.mark.parametrize("size", [1, 1000])
async def test_short_parts(connect, tmp_path, size):
    """A host that sends a few bytes for each request cannot prolong a download: only progress resets the attempts."""

    def resume(peer, request):
        start = range_start(request) if "range" in request.headers else 0
        words = {"ETag": '"1"', "Content-Range": f"bytes {start}-{start + size - 1}/{len(OLD)}"}
        peer.send(answer(OLD[start : start + size], 206, PNG | words))

    with RawServer(first_then(cut_half_way, resume)) as host, within(5):
        async with connect(NO_API) as client:
            [outcome] = (await client.assets.download_many([f"{host.url}/big.bin"], tmp_path)).results

    assert isinstance(outcome.error, TransportError)
    assert len(host.requests) <= 2 * QUICK.bulk_attempts  # the first half was progress
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]


def release_at(peer, request):
    """Answer for the release whose file is at the same server; False if that was not asked."""
    if "/releases/" not in request.path:
        return False
    url = f"http://{request.headers['host']}/v1.json"
    peer.send(answer({"name": "v1", "status": "SUCCEEDED", "attributes": {"url": url}}))
    return True


@WIRES
@pytest.mark.parametrize("later", ["same", "other tag", "other total"])
async def test_part_of_another_run(connect, tmp_path, later):
    """A part that an earlier run left is joined to what is of the same tag and total only."""
    content, tag = {"same": (OLD, '"1"'), "other tag": (NEW, '"2"'), "other total": (LONGER, '"1"')}[later]

    def script(peer, request):
        if release_at(peer, request):
            return
        if len(host.requests) == 2:
            cut_half_way(peer)
        elif len(host.requests) == 3:
            peer.close()
        elif "range" in request.headers:
            peer.send(file_answer(content, tag=tag, first=range_start(request)))
        else:
            peer.send(file_answer(content, tag=tag))

    path = tmp_path / "v1.json"
    with RawServer(script) as host, within(5):
        async with connect(host.url, retry=ONCE) as client:
            with pytest.raises(TransportError):
                await client.releases.download("jane/flowers", "v1", path)
        async with connect(host.url) as client:
            await client.releases.download("jane/flowers", "v1", path)

    assert path.read_bytes() == content
    assert len(host.requests) == (5 if later == "same" else 6)
    assert list(tmp_path.iterdir()) == [path]


@WIRES
async def test_callback_that_raises(connect, tmp_path, caplog):
    """What `progress` raises is logged once and ends nothing; it is called until the end."""
    calls = []

    def script(peer, request):
        if not release_at(peer, request):
            peer.send(file_answer(OLD)[:2_000_000])
            peer.pause(0.3)
            peer.send(file_answer(OLD)[2_000_000:])

    def progress(made):
        calls.append(made)
        raise KeyError("mine")

    with RawServer(script) as host, within(4):
        async with connect(host.url) as client:
            await client.releases.download("jane/flowers", "v1", tmp_path / "v1.json", progress=progress)

    assert (tmp_path / "v1.json").read_bytes() == OLD
    assert len(host.requests) == 2
    *before, last = [made.finished for made in calls]
    assert last
    assert before
    assert not any(before)  # how many there are depends on the time that they take
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]
