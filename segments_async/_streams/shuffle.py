"""Shuffle a stream in a buffer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Shuffle(AsyncIterator[T]):
    """
    Return items in a random order, each chosen among those in a buffer, which is then filled again.

    An error of *items* is raised after the items before it.

    Args:
        items: What to shuffle.
        size: Items in the buffer; 0 or 1 keeps the order.
        seed: The same seed gives the same order.
    """

    def __init__(self, items: AsyncIterator[T], size: int, seed: int) -> None:
        self._items = items
        self._size = size
        self._random = Random(seed)  # noqa: S311 (reproducible, not secret)
        self._buffer: list[T] = []
        self._error: Exception | None = None

    async def __anext__(self) -> T:
        while self._error is None and len(self._buffer) < max(1, self._size):
            try:
                self._buffer.append(await anext(self._items))
            except Exception as error:  # noqa: BLE001 (raised below, in its place)
                self._error = error
        if self._buffer:
            place = self._random.randrange(len(self._buffer))
            self._buffer[place], self._buffer[-1] = self._buffer[-1], self._buffer[place]
            return self._buffer.pop()
        assert self._error is not None
        raise self._error
