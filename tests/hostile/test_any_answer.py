"""Property: whatever bytes a server sends, a call ends in a result or in an error of this package, in bounded time."""

from __future__ import annotations

import gzip
import json
import pickle

import anyio
import pytest
from hypothesis import given, settings, strategies as st
from raw_server import RawServer
from wires import KEY, WIRES, connected, within

from segments_async import RetryPolicy, SegmentsError

SECONDS = 0.5
"""Seconds to wait for one answer."""

words = st.text(max_size=30)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
near_misses = st.sampled_from(
    [
        {"detail": "Request was throttled. Expected available in 99999999999999999999 seconds."},
        {"detail": ["a", {"b": None}]},
        {"uuid": "u", "name": "n", "attributes": {"image": {"url": 7}}},
        {"label_status": None, "attributes": None},
        [{"name": "a"}, None, 3],
        [[[[[[]]]]]],
    ]
)
bodies = (
    st.binary(max_size=200)
    | st.builds(lambda value: json.dumps(value).encode(), anything | near_misses)
    | st.builds(lambda depth: b"[" * depth + b"]" * depth, st.integers(1, 3000))
    | st.builds(lambda value: b"\xef\xbb\xbf" + json.dumps(value).encode(), near_misses)
)
headers = st.lists(
    st.sampled_from(
        [
            b"Content-Encoding: gzip",
            b"Content-Encoding: gzip, gzip",
            b"Content-Encoding: deflate",
            b"Content-Encoding: \xff",
            b"Transfer-Encoding: chunked",
            b"Content-Length: 5",
            b"Content-Length: -5",
            b"Content-Length: 99999999999999999999999",
            b"Connection: close",
            b"Content-Type: text/html; charset=utf-99",
            b"Retry-After: nan",
            b"Retry-After: -1",
            b"Retry-After: " + b"9" * 400,
            b"Date: yesterday",
            b"Location: javascript:1",
            b"Location: //[x/",
            b"X-Request-Id: \x1b[31m",
            b"Set-Cookie: a=b; Domain=\xe9",
            b": no name",
            b"No colon",
            b" folded",
        ]
    )
    | st.binary(max_size=30).map(lambda value: b"X-Odd: " + value),
    max_size=5,
)


@st.composite
def answers(draw):
    """Draw bytes: arbitrary ones, or some that resemble an answer."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=300))
    status = draw(
        st.sampled_from([b"200 OK", b"201 Created", b"204 No", b"206 Part", b"301 Away", b"304 Same"])
        | st.sampled_from([b"400 Bad", b"401 Who", b"404 Gone", b"407 Proxy", b"409 Twice", b"429 Slow"])
        | st.sampled_from([b"500 Oh", b"503 Later", b"999 What", b"100 Continue", b"101 Switch", b"-1 x"])
    )
    body = draw(bodies)
    if draw(st.booleans()):
        body = gzip.compress(body)[: draw(st.integers(1, 300))]
    lines = draw(headers)
    if draw(st.booleans()):
        lines = [*lines, b"Content-Length: %d" % len(body)]
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


CALLS = {
    "raw": lambda client: client.request("GET", "/x/"),
    "label": lambda client: client.labels.put("u", "ground-truth", {"annotations": []}),
    "creation": lambda client: client.datasets.create("flowers"),
    "list": lambda client: client.samples.list("jane/flowers"),
    "deletion": lambda client: client.labels.delete("u"),
    "file": lambda client: client.assets.read(client.base + "/a.png"),
    "bulk": lambda client: client.labels.delete_many(["u-1", "u-2"]),
}


async def _call(wire, url, name):
    policy = RetryPolicy(attempts=2, bulk_attempts=2, base=0, total=2)
    with within(10):
        async with connected(wire, url, retry=policy, timeout=SECONDS) as client:
            client.base = url
            await CALLS[name](client)


def check(error):
    assert str(error).isprintable()
    assert KEY not in str(error) + repr(vars(error))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@WIRES
@pytest.mark.parametrize("examples", [15, pytest.param(400, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", CALLS)
def test_any_bytes(wire, anyio_backend, name, examples):
    sent = [b""]

    def script(peer, _):
        peer.send(sent[0])
        peer.close()

    with RawServer(script) as server:

        @settings(max_examples=examples, deadline=None)
        @given(answers())
        def property_(data):
            sent[0] = data
            try:
                anyio.run(_call, wire, server.url, name, backend=anyio_backend)
            except SegmentsError as error:
                check(error)

        property_()
