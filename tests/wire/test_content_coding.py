"""Bodies are decoded in pieces, whole or not at all."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.content_coding import PIECE_BYTES, CodingError, decoder_for

CONTENT = bytes(range(256)) * 8


def raw_deflate(content):
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


CODED = {
    "identity": (CONTENT, "identity"),
    "nothing named": (CONTENT, ""),
    "gzip": (gzip.compress(CONTENT), "gzip"),
    "x-gzip": (gzip.compress(CONTENT), "x-gzip"),
    "capitals": (gzip.compress(CONTENT), "GZIP"),
    "identity too": (gzip.compress(CONTENT), "identity, gzip"),
    "members": (gzip.compress(CONTENT[:700]) + gzip.compress(b"") + gzip.compress(CONTENT[700:]), "gzip"),
    "padding": (gzip.compress(CONTENT) + b"\0" * 20, "gzip"),
    "padding between": (gzip.compress(CONTENT[:700]) + b"\0" * 20 + gzip.compress(CONTENT[700:]), "gzip"),
    "deflate": (zlib.compress(CONTENT), "deflate"),
    "raw deflate": (raw_deflate(CONTENT), "deflate"),
}


def decode(data, coding, size):
    decoder = decoder_for(coding)
    parts = [part for start in range(0, len(data), size) for part in decoder.feed(data[start : start + size])]
    decoder.finish()
    return b"".join(parts)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", CODED)
def test_decoded(name, size):
    data, coding = CODED[name]
    assert decode(data, coding, size) == CONTENT


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "gzip, br", "zstd", "chunked", "\x00"])
def test_refused(coding):
    """Unknown codings, and several, each of which multiplies what a small body can mean."""
    with pytest.raises(CodingError):
        decoder_for(coding)


@pytest.mark.parametrize("name", ["gzip", "members", "deflate", "raw deflate"])
def test_cut_anywhere(name):
    """A body that ends early is never taken for whole; nor is one of several members that is cut inside one."""
    data, coding = CODED[name]
    boundaries = {len(gzip.compress(CONTENT[:700])), len(gzip.compress(CONTENT[:700]) + gzip.compress(b""))}
    for end in range(1, len(data)):
        if name == "members" and end in boundaries:
            continue
        with pytest.raises(CodingError):
            decode(data[:end], coding, 50)


def test_empty_body_is_whole():
    """As after HEAD, and with 204."""
    assert decode(b"", "gzip", 1) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_pieces_are_small(coding):
    """A few kilobytes that mean many megabytes come in pieces, so that a limit can stop them."""
    data = (gzip.compress if coding == "gzip" else zlib.compress)(bytes(50_000_000))
    decoder = decoder_for(coding)
    assert max(map(len, decoder.feed(data))) <= PIECE_BYTES


@given(st.binary(max_size=400), st.sampled_from(["gzip", "deflate", "identity"]), st.integers(1, 50))
def test_any_bytes(data, coding, size):
    """End in a content or in a CodingError."""
    with suppress(CodingError):
        decode(data, coding, size)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 80))
def test_any_members(contents, size):
    data = b"".join(map(gzip.compress, contents))
    assert decode(data, "gzip", size) == b"".join(contents)
