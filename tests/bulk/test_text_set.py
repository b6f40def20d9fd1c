"""The set of texts is a set, in little memory."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, strategies as st

from segments_async.bulk import text_set
from segments_async.bulk.text_set import TextSet


@pytest.fixture(params=["64 bits", "32 bits"])
def width(request, monkeypatch):
    """Hash as Python on 64 bits does, and as on 32 bits."""
    monkeypatch.setattr(text_set, "_IS_WIDE", request.param == "64 bits")


@given(st.lists(st.integers(0, 5000), max_size=3000))
def test_it_is_a_set(numbers):
    seen, known = TextSet(), set()
    for number in numbers:
        assert seen.add(str(number)) == (number not in known)
        known.add(number)


@pytest.mark.usefixtures("width")
def test_it_grows():
    seen = TextSet()
    assert all(seen.add(f"{number}.jpg") for number in range(10_000))
    assert not any(seen.add(f"{number}.jpg") for number in range(10_000))


@pytest.mark.usefixtures("width")
@pytest.mark.parametrize("text", ["", "\0", "\ud800", "violet.jpg", "\N{SNOWMAN}"])
def test_any_text(text):
    seen = TextSet()
    assert [seen.add(text), seen.add(text)] == [True, False]


def test_a_hash_of_zero(monkeypatch):
    monkeypatch.setattr(text_set, "_IS_WIDE", False)
    monkeypatch.setattr(text_set, "_wide_hash", lambda _: 0)
    seen = TextSet()
    assert [seen.add("a"), seen.add("a")] == [True, False]


def test_little_memory():
    tracemalloc.start()
    seen = TextSet()
    assert all(seen.add(str(number)) for number in range(100_000))
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert current < 32 * 100_000
    assert peak < 64 * 100_000  # while it grows
