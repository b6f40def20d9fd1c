"""Shuffling in a buffer loses nothing."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, strategies as st

from segments_async._streams.shuffle import Shuffle


class Numbers:
    def __init__(self, count, error):
        self.numbers = iter(range(count))
        self.error = error
        self.taken = 0

    async def __anext__(self):
        number = next(self.numbers, None)
        if number is None:
            raise self.error
        self.taken += 1
        return number


async def drain(shuffle):
    found = []
    try:
        while True:
            found.append(await anext(shuffle))
    except (StopAsyncIteration, ValueError) as error:
        return found, error


@given(st.integers(0, 40), st.integers(0, 50), st.integers(), st.sampled_from([StopAsyncIteration(), ValueError("x")]))
def test_every_item_once_in_the_order_of_the_seed(count, size, seed, end):
    """Also before an error of the source; no item comes earlier than the buffer allows."""
    found, error = anyio.run(drain, Shuffle(Numbers(count, end), size, seed))
    again, _ = anyio.run(drain, Shuffle(Numbers(count, end), size, seed))

    assert sorted(found) == list(range(count))
    assert found == again
    assert error is end
    assert all(number < place + max(1, size) for place, number in enumerate(found))


@pytest.mark.anyio
async def test_it_reads_no_further_than_its_buffer():
    numbers = Numbers(100, StopAsyncIteration())
    await anext(Shuffle(numbers, 10, 1))
    assert numbers.taken == 10
