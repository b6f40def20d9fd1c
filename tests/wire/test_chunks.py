from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.chunks import fits, halve, rejected_indices


@pytest.mark.parametrize(
    ("items", "size", "extra", "expected"),
    [
        pytest.param(0, 0, 10**9, True, id="the first always goes in"),
        pytest.param(1, 50, 50, True, id="exactly full"),
        pytest.param(1, 50, 51, False, id="too many bytes"),
        pytest.param(3, 3, 1, False, id="too many items"),
    ],
)
def test_fits(items, size, extra, expected):
    assert fits(items, size, extra, max_items=3, max_bytes=100) is expected


@given(st.lists(st.integers(), min_size=2))
def test_halves_are_the_whole(batch):
    """Halving ends, and no item is lost."""
    left, right = halve(batch)

    assert [*left, *right] == batch
    assert left
    assert right


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([{}, {"name": ["no"]}, {}], [1]),
        ([{}, {}, {}], []),
        ([{}, {"name": ["no"]}], []),
        (["a", "b", "c"], []),
        ({"detail": "no"}, []),
        ("no", []),
        (None, []),
    ],
)
def test_rejected_indices(body, expected):
    """Only a body with one object for each item names the wrong items."""
    assert rejected_indices(body, 3) == expected
