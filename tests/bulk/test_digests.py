"""The set of digests is a set, in little memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, strategies as st

from segments_async.bulk.digests import DigestSet
from segments_async.bulk.operation import digest_of


@given(st.lists(st.integers(0, 5000), max_size=3000))
def test_it_is_a_set(numbers):
    seen, known = DigestSet(), set()
    for number in numbers:
        assert seen.add(digest_of(str(number).encode())) == (number not in known)
        known.add(number)


def test_a_digest_of_zeros():
    seen = DigestSet()
    assert [seen.add(bytes(16)), seen.add(bytes(16))] == [True, False]


def test_little_memory():
    tracemalloc.start()
    seen = DigestSet()
    assert all(seen.add(digest_of(str(number).encode())) for number in range(100_000))
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert current < 32 * 100_000
    assert peak < 64 * 100_000  # while it grows
