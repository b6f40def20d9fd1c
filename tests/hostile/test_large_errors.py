"""Large bodies of errors: they cost time in proportion to their size, and not the event loop's."""

from __future__ import annotations

import json
import threading
import time

import pytest
from raw_server import RawServer, answer
from raw_storage import uploads_go_to
from wires import ONCE, WIRES, within

from segments_async import ApiError
from segments_async._http import session
from segments_async._http.bodies import MAX_ERROR_BYTES, THREAD_FROM_BYTES
from segments_async._transfer import storage, upload
from segments_async._wire.replies import Reply, error_for

ENDLESS = {
    "titles": b"<title>",
    "titles without an end": b"<title ",
    "codes": b"<Code>",
    "a name of signatures": b"sign",
    "signatures": b"<sign",
    "slashes": b"//",
    "users": b"//a@",
    "queries": b"?",
    "pairs": b"?a=b&",
    "a query of signatures": b"-sig",
    "words": b"available in ",
    "brackets": b"[",
    "objects": b'{"a":',
    "escapes": b"\x1b[31m",
}


def repeated(unit, size, start=b"<?"):
    return start + (unit * (size // len(unit) + 1))[:size]


def long_name(size):
    return json.dumps({"k" * (size * 3 // 4): dict.fromkeys(map(str, range(size // 45)), "No.")}).encode()


def long_names(size):
    body = dict.fromkeys(map(str, range(size // 45)), "No.")
    for _ in range(14):
        body = {"k" * (size // 20): body}
    return json.dumps(body).encode()


def list_of(item):
    return lambda size: json.dumps([item] * (size // (len(json.dumps(item)) + 2))).encode()


SHAPES = {name: lambda size, unit=unit: repeated(unit, size) for name, unit in ENDLESS.items()} | {
    "a long name": long_name,
    "long names": long_names,
    "list of queries": list_of("?a=b"),
    "list of tags": list_of("<"),
    "list of lists": list_of(["//a@b"]),
}


def seconds_for(body):
    """CPU time of this thread, so that a busy machine does not matter."""
    reply = Reply(400, "GET", "https://api.test/", {}, body)
    best = 9.0
    for _ in range(3):
        started = time.thread_time()
        error_for(reply, now=0)
        best = min(best, time.thread_time() - started)
    return best


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_size_only(shape):
    """Eight times as many bytes: about 8 times as long, where a square would be 64 times. 64 KiB took 19 s once."""
    small, large = (seconds_for(SHAPES[shape](size)) for size in (MAX_ERROR_BYTES // 8, MAX_ERROR_BYTES))
    assert large < 24 * max(small, 0.0005)


@WIRES
@pytest.mark.anyio
@pytest.mark.parametrize("size", [THREAD_FROM_BYTES - 1, THREAD_FROM_BYTES, 10 * MAX_ERROR_BYTES])
async def test_read_in_a_thread(connect, monkeypatch, size):
    """Of the API, of a file that is read, and of an upload; small ones at once."""
    calls = []

    def note(module, name):
        real = getattr(module, name)

        def noted(reply, *, now):
            calls.append((len(reply.content), threading.get_ident()))
            return real(reply, now=now)

        monkeypatch.setattr(module, name, noted)

    note(session, "error_for")
    note(storage, "storage_error_for")
    note(upload, "storage_error_for")
    refusal = answer(repeated(b"<sign", size - 2), 400)
    with RawServer(lambda peer, _: peer.send(refusal)) as server, uploads_go_to(server.url) as api, within(5):
        async with connect(api.url, retry=ONCE) as client:
            with pytest.raises(ApiError):
                await client.assets.read(f"{server.url}/a.png")
            with pytest.raises(ApiError):
                await client.assets.upload(b"png", "a.png")
        async with connect(server.url, retry=ONCE) as client:
            with pytest.raises(ApiError):
                await client.users.me()

    here = threading.get_ident()
    assert [length for length, _ in calls] == [min(size, MAX_ERROR_BYTES)] * 3
    assert [thread == here for _, thread in calls] == [size < THREAD_FROM_BYTES] * 3
