"""Whether a short page may have been cut."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.page_lengths import MIN_LIMIT, LongestPages


@pytest.mark.parametrize(
    ("earlier", "received", "requested", "may_be_cut"),
    [
        pytest.param([], 0, 1000, False, id="empty"),
        pytest.param([], MIN_LIMIT - 1, 1000, False, id="tiny"),
        pytest.param([], MIN_LIMIT, 1000, True, id="not tiny"),
        pytest.param([], 37, 37, False, id="as long as requested"),
        pytest.param([], 37, 36, False, id="longer than requested"),
        pytest.param([38], 37, 1000, False, id="shorter than an earlier one"),
        pytest.param([37], 37, 1000, True, id="as long as an earlier one"),
        pytest.param([36], 37, 1000, True, id="longer than an earlier one"),
        pytest.param([1000], 100, 1000, True, id="round"),
    ],
)
def test_rule(earlier, received, requested, may_be_cut):
    pages = LongestPages()
    for rows in earlier:
        pages.may_be_cut("samples", rows, 1000)
    pages.may_be_cut("datasets", 999, 1000)
    assert pages.may_be_cut("samples", received, requested) is may_be_cut


@given(cap=st.integers(MIN_LIMIT, 1000), lengths=st.lists(st.integers(0, 2000)), requested=st.integers(1, 1000))
def test_no_cut_page_is_taken_for_the_last(cap, lengths, requested):
    """Whatever lists came before."""
    pages = LongestPages()
    for length in [*lengths, cap + 1]:
        received = min(length, cap, requested)
        was_cut = length > received and received < requested
        assert pages.may_be_cut("samples", received, requested) or not was_cut
