"""
What is fuzzed: functions that pass bytes to one part of the package and check what it promises.

A target raises only if a promise is broken. `fuzz.py` runs them under atheris, `test_fuzz_targets.py` on a few inputs.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from fuzz_setup import KEY, FakeBackend, check_error, run, scratch, target

from segments_async import (
    AsyncSegments,
    DecodeError,
    InputError,
    RetryPolicy,
    SegmentsError,
    WebhookError,
    models,
    open_release,
    structure,
    unstructure,
)
from segments_async._http.network import is_informational
from segments_async._serialization.json import decode_json, encode_json
from segments_async._transfer.file_names import address_digest, digest_in, file_name
from segments_async._wire.content_coding import CodingError, decoder_for
from segments_async._wire.content_ranges import parse_content_range, parse_length
from segments_async._wire.etags import strong_etag
from segments_async._wire.proxies import NoProxy, proxies_in
from segments_async._wire.redirects import slash_redirect
from segments_async._wire.replies import Reply, error_for, redact_url, redact_urls, request_id_in, storage_error_for
from segments_async._wire.retry import parse_retry_after
from segments_async._wire.suffixes import image_suffix, split_suffix, url_suffix
from segments_async.bulk.journal import ItemRow, Journal
from segments_async.fastapi._paths import without_paths
from segments_async.fastapi._records import RecordFolder, serialize
from segments_async.images import decode_bitmap, image_size
from segments_async.webhooks import message_id, parse, sign, verify

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
API = "http://api.test"
HEADER = {"operation": "numbers", "service": "https://example.com", "dataset or labelset": "all"}
ID = "0" * 32
LABEL = {
    "sample": "u",
    "label_type": "segmentation-bitmap",
    "label_status": "LABELED",
    "attributes": {"annotations": []},
}


# Answers, over the real client and a socket in memory


CALLS: list[Callable[[AsyncSegments], Any]] = [
    lambda client: client.request("GET", "/x/"),
    lambda client: client.labels.put("u", "ground-truth", {"annotations": []}),
    lambda client: client.labels.get("u"),
    lambda client: client.datasets.create("flowers"),
    lambda client: client.datasets.get("jane/flowers"),
    lambda client: client.samples.list("jane/flowers"),
    lambda client: client.samples.get("u"),
    lambda client: client.labels.delete("u"),
    lambda client: client.assets.read("http://files.test/a.png"),
    lambda client: client.releases.download("jane/flowers", "v1", scratch("v1.json")),
    lambda client: client.assets.download_many(["http://files.test/a.png"], scratch("downloads")),
    lambda client: client.assets.upload(b"content", "a.png"),
    lambda client: client.labels.delete_many(["u-1", "u-2"]),
    lambda client: client.releases.list("jane/flowers"),
    lambda client: client.samples.create_many("jane/flowers", [{"name": "a", "attributes": {"image": {"url": "u"}}}]),
]
NEXT = b"\xff\xfe\xfd"
"""Between the answers of two connections."""


def _answer(head: str, body: bytes = b"", piece: int = 250) -> bytes:
    return bytes([piece]) + head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


_LABEL = json.dumps(LABEL).encode()
_BUILT = b'{"name":"v1","status":"SUCCEEDED","attributes":{"url":"http://files.test/v1.json"}}'


@target(
    *(bytes([call]) + _answer("HTTP/1.1 200 OK\nContent-Length: 2", b"{}") for call in range(len(CALLS))),
    b"\1" + _answer(f"HTTP/1.1 200 OK\nContent-Length: {len(_LABEL)}", _LABEL, 3),
    b"\5" + _answer("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"2\r\n[]\r\n0\r\n\r\n"),
    b"\0"
    + _answer("HTTP/1.1 429 Slow\nRetry-After: 0\nContent-Length: 0")
    + NEXT
    + _answer("HTTP/1.1 301 Moved\nLocation: /x\nContent-Length: 0")
    + NEXT
    + _answer("HTTP/1.1 503 No\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\nDate: now"),
    b"\10" + _answer("HTTP/1.1 200 OK\nContent-Encoding: gzip\nConnection: close", gzip.compress(b"picture")),
    b"\10"
    + _answer('HTTP/1.1 200 OK\nETag: "a"\nContent-Length: 9', b"abc")
    + NEXT
    + _answer('HTTP/1.1 206 Part\nETag: "a"\nContent-Range: bytes 3-8/9\nContent-Length: 6', b"defghi"),
    b"\10" + _answer("HTTP/1.1 302 Away\nLocation: http://other.test/b\nContent-Length: 0"),
    b"\11"
    + _answer(f"HTTP/1.1 200 OK\nContent-Length: {len(_BUILT)}", _BUILT)
    + NEXT
    + _answer('HTTP/1.1 200 OK\nETag: "a"\nContent-Length: 4', b"{}"),
    b"\3" + _answer("HTTP/1.1 400 Bad\nX-Request-Id: \x1b[31m", b'{"name": ["already exists"]}'),
)
def answer(data: bytes) -> None:
    """Any bytes as answers end in a result or a `SegmentsError`."""
    FakeBackend.answers = data[1:].split(NEXT)[:6]
    run(_call(CALLS[data[0] % len(CALLS)] if data else CALLS[0]))


async def _call(call: Callable[[AsyncSegments], Any]) -> None:
    policy = RetryPolicy(attempts=3, bulk_attempts=3, base=0, total=2)
    async with AsyncSegments(KEY, base_url=API, retry=policy, timeout=1, max_answer_mb=1) as client:
        try:
            async with asyncio.timeout(30):
                await call(client)
        except SegmentsError as error:
            check_error(error)
        stats = client.stats()
        assert (stats.in_flight, stats.waiting) == (0, 0)


# Pure rules


@target(b"gzip\n" + gzip.compress(b"a" * 300) + gzip.compress(b"b"), b"deflate\n" + zlib.compress(b"abc"), b"\nabc")
def coding(data: bytes) -> None:
    """A coded body is decoded as the standard library does, or refused, alike in pieces of any size."""
    name, _, body = data.partition(b"\n")
    whole = _decode(name.decode("latin-1"), [body])
    assert whole == _decode(name.decode("latin-1"), [body[place : place + 1] for place in range(len(body))])
    if name == b"gzip" and body:
        try:
            expected = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return
        assert whole in {None, expected}  # zlib refuses some headers that gzip accepts


def _decode(name: str, pieces: list[bytes]) -> bytes | None:
    try:
        decoder = decoder_for(name)
        decoded = b"".join(part for piece in pieces for part in decoder.feed(piece))
        decoder.finish()
    except CodingError:
        return None
    return decoded


@target(
    b"bytes 3-8/9\n3\nhttp://a.test/x?sig=1\n/x/",
    b"Wed, 21 Oct 2015 07:28:00 GMT\n1e3\n//[::1]/\nhttps://u:p@a.test/b.JPG",
    b"10.0.0.0/8,[::1]:80\n*.example.com\n'/srv/a b/c.png': no\n\"5d41402a\"",
)
def headers(data: bytes) -> None:
    """Values of headers, addresses and names are understood or left out; nothing raises."""
    first, second, third, *rest = [*data.decode("utf-8", "surrogateescape").split("\n"), "", "", ""]
    seconds = parse_retry_after({"retry-after": first, "date": second}, now=1e9, detail=third)
    assert seconds is None or 0 <= seconds < float("inf")
    for text in (first, second, third, *rest):
        parsed = parse_content_range(text)
        assert parsed is None or 0 <= parsed.start < parsed.end <= (parsed.total or parsed.end)
        parse_length(text)
        strong_etag(text)
        assert "".join(split_suffix(text)) == text
        image_suffix("PNG", url_suffix(text))
        name = file_name(text, second)
        assert digest_in(name) == address_digest(text)
        assert "/" not in name
        assert len(name.encode()) < 200
        assert request_id_in({"x-request-id": text}).isprintable()
        redact_urls(redact_url(text))
        NoProxy.parse(text).covers(second, 80)
        proxies_in({"http_proxy": text})
        without_paths(text)
        is_informational(text.encode("latin-1", "replace"))
    asked = f"{API}/{quote(first, errors='replace')}"
    followed = slash_redirect(301, asked, second)
    assert followed is None or followed.rstrip("/") == asked.rstrip("/")


@target(
    b'\x90{"name": ["already exists"]}',
    b'\xf4{"detail": "Request was throttled. Expected available in 7 seconds."}',
    b"\x93<html><title>Bad gateway</title>",
    b"\x93<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
)
def error_body(data: bytes) -> None:
    """Any body of an error makes an error that can be printed and pickled."""
    status = 300 + (data[0] if data else 0)
    reply = Reply(status, "GET", API, httpx.Headers({b"location": data[:40]}), data[1:])
    for make in (error_for, storage_error_for):
        check_error(make(reply, now=1e9))


MODELS: list[Any] = [
    models.Label, models.LabelPut, models.Sample, models.Dataset, models.Release, models.Issue, models.Collaborator,
    models.Labelset, models.ReleaseSample, models.ReleaseHeader, models.Asset, models.User, models.Workunit,
    models.LabelAttributes, models.SampleAttributes, models.webhooks.UnknownEvent, models.TaskAttributes,
]  # fmt: skip


@target(
    *(bytes([place]) + _LABEL for place in range(len(MODELS))),
    b'\2{"uuid":"u","name":"a","attributes":{"image":{"url":"a.png"}},"created_at":"2020-04-10T00:00:00Z"}',
    b'\x0d{"format_version":"0.2","frames":[{"annotations":[{"id":1,"category_id":1,"type":"cuboid"}]}]}',
    b"\2[18446744073709551616,-9223372036854775809,1e400,NaN]",
)
def model(data: bytes) -> None:
    """JSON is read as a model and written back unchanged, or refused with a `DecodeError`."""
    try:
        value = decode_json(data[1:])
        read = structure(value, MODELS[data[0] % len(MODELS)])
    except DecodeError as error:
        return check_error(error)
    assert decode_json(encode_json(read)) == unstructure(read)
    again = structure(unstructure(read), type(read))
    assert unstructure(again) == unstructure(read)
    return None


@target(b"[1,2]", b'{"a":[1e5,-0.0,12345678901234567890123]}', b"\xef\xbb\xbf[]", b'"\\ud800"', b"[" * 3000)
def json_text(data: bytes) -> None:
    """What is read as JSON is what the standard library reads, and can be written."""
    try:
        value = decode_json(data)
    except DecodeError as error:
        return check_error(error)
    assert value == json.loads(data.decode("utf-8-sig"))
    try:
        text = encode_json(value)
    except InputError as error:
        problem = str(error)
    else:
        assert decode_json(text) == value
        return None
    assert "deep" in problem
    return None


# Files


_SAMPLE = {"uuid": "u", "name": "a.png", "attributes": {"image": {"url": "a"}}, "labels": {"ground-truth": None}}
_RELEASE = {
    "name": "v1",
    "dataset": {"name": "flowers", "task_type": "vector", "task_attributes": {}, "labelsets": [], "samples": [_SAMPLE]},
}


@target(
    json.dumps(_RELEASE).encode(),
    json.dumps({"dataset": {"samples": [_SAMPLE, 7, _SAMPLE], **_RELEASE["dataset"]}, "name": "v1"}, indent=1).encode(),
)
def release(data: bytes) -> None:
    """A release file is read to its end or refused, sample by sample."""
    path = scratch("release.json")
    path.write_bytes(data)
    for on_error in ("raise", "skip"):
        try:
            run(_read_release(path, on_error))
        except SegmentsError as error:
            check_error(error)
        else:
            dataset = json.loads(data.decode("utf-8-sig"))["dataset"]
            assert isinstance(dataset, dict)


async def _read_release(path: Path, on_error: Any) -> None:
    async with open_release(path) as opened:
        samples = opened.samples(label_status=["LABELED", "UNLABELED", "NEW"], on_error=on_error)
        async for sample in samples:
            unstructure(sample)
        for error in samples.skipped:
            check_error(error)
        await opened.summary()


def _checkpoint() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder, "seed"), HEADER)
        journal.write([ItemRow(str(n), b"0" * 16, "done", f"u-{n}") for n in range(3)], [])
        journal.close()
        return Path(folder, "seed").read_bytes()


@target(_checkpoint(), b"")
def checkpoint(data: bytes) -> None:
    """A checkpoint file is used or refused."""
    path = scratch("file.checkpoint")
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()
    path.write_bytes(data)
    try:
        journal = Journal(path, HEADER)
    except InputError as error:
        return check_error(error)
    try:
        journal.find(["0", "1"])
        journal.write([ItemRow("9", None, "done", None)], [])
        assert journal.find(["9"])["9"][0] is not None
    except InputError as error:
        check_error(error)
    finally:
        journal.close()
    return None


@target(
    json.dumps({"id": ID, "kind": "store", "arguments": {"a": 1}, "state": "running", "result": {}}).encode(),
    json.dumps({"id": ID, "kind": "store", "arguments": {}, "state": "failed", "result": {"detail": "no"}}).encode(),
)
def job_record(data: bytes) -> None:
    """The record of an upload is read or listed as damaged."""
    folder = RecordFolder(scratch("records"))
    scratch("records").mkdir(exist_ok=True)
    path = scratch("records") / f"{ID}.json"
    path.write_bytes(data)
    record = folder._read(path)
    assert record.id == ID
    if not record.unreadable:
        serialize(record).encode("ascii")
        json.dumps([record.kind, record.owner, record.result], ensure_ascii=False).encode()


@target(
    b'a\nv1,abc=\n1614265330\n{"event_type": "sample.created"}', b'a\nb\nc\n{"event_type":"label.updated","object":{}}'
)
def webhook(data: bytes) -> None:
    """A webhook is an event or a `WebhookError`, whatever its headers and its body are, signed or not."""
    name, signature, timestamp, body = [*data.split(b"\n", 3), b"", b"", b"", b""][:4]
    values = [value.decode("latin-1") for value in (name, timestamp, signature)]
    forged = dict(zip(("svix-id", "svix-timestamp", "svix-signature"), values, strict=True))
    for use in (lambda: verify(body, forged, SECRET), lambda: message_id(forged), lambda: parse(body)):
        try:
            use()
        except WebhookError as error:
            check_error(error)
    try:
        genuine = sign(body, SECRET, message_id=values[0])
    except InputError:
        return
    try:
        unstructure(verify(body, genuine | {"svix-signature": f"{values[2]} {genuine['svix-signature']}"}, SECRET))
    except WebhookError as error:
        check_error(error)


def _png() -> Iterator[bytes]:
    from PIL import Image  # noqa: PLC0415 (for the seeds only)

    for mode in ("RGBA", "RGB", "L"):
        file = io.BytesIO()
        Image.new(mode, (2, 2)).save(file, "PNG")
        yield file.getvalue()
    file = io.BytesIO()
    Image.new("L", (2, 2)).save(file, "TIFF")
    yield file.getvalue()


@target(*_png())
def picture(data: bytes) -> None:
    """An image is read or refused with a `DecodeError`."""
    for read in (decode_bitmap, image_size):
        try:
            read(data)
        except DecodeError as error:
            check_error(error)
