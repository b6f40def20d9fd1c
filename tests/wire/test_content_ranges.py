"""Which part of a file a response contains; what is odd is None, and never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.content_ranges import ContentRange, parse_content_range, parse_length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-0/1", ContentRange(0, 1, 1)),
        ("bytes 5-9/*", ContentRange(5, 10, None)),
        ("Bytes 5-9/10", ContentRange(5, 10, 10)),
        ("bytes 0-9/10", ContentRange(0, 10, 10)),
    ],
)
def test_range(text, expected):
    assert parse_content_range(text) == expected
    assert expected.is_whole == (text.startswith("bytes 0-") and text != "bytes 5-9/*")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes",
        "bytes */10",
        "bytes 9-5/10",
        "bytes -5-9/10",
        "bytes 5-10/10",
        "bytes 5-9/-10",
        "bytes 5-9",
        "bytes 5-9/10, bytes 0-1/10",
        "pages 5-9/10",
        "bytes=5-9/10",
        "bytes \u0665-\u0669/10",
        "bytes 0-1/" + "9" * 5000,
        "bytes " + "0" * 5000 + "1-2/3",
        "bytes 0-0/0",
    ],
)
def test_odd_range(text):
    assert parse_content_range(text) is None


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", 0),
        ("12", 12),
        ("", None),
        ("-5", None),
        ("3, 3", None),
        ("\u0663", None),
        ("9" * 5000, None),
        ("1_0", None),
    ],
)
def test_length(text, length):
    assert parse_length(text) == length


@given(st.text() | st.from_regex(r"bytes [0-9]*-[0-9]*/[0-9*]*", fullmatch=True))
def test_any_text(text):
    part = parse_content_range(text)
    assert part is None or (0 <= part.start < part.end and (part.total is None or part.end <= part.total))
    length = parse_length(text)
    assert length is None or length >= 0
