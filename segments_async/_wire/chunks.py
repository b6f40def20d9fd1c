"""Split the items of a bulk call into requests, and read which items of a request were rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

MAX_BATCH_ITEMS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024


def fits(items: int, size: int, extra: int, *, max_items: int, max_bytes: int = MAX_BATCH_BYTES) -> bool:
    """
    Return whether an item of *extra* bytes fits into a batch of *items* items and *size* bytes.

    The first item always fits: the service decides about an item that is too large on its own.
    """
    return items == 0 or (items < max_items and size + extra <= max_bytes)


def split_by_bytes(items: Sequence[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Split the items of one batch into batches of at most `MAX_BATCH_BYTES`."""
    batch: list[T] = []
    size = 0
    for item in items:
        if not fits(len(batch), size, size_of(item), max_items=len(items)):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += size_of(item)
    if batch:
        yield batch


def halve(batch: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Split a batch of two or more items in the middle, to find the half that the service rejects."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


def rejected_indices(body: Any, size: int) -> list[int]:
    """
    Return the indices of the items that the service reports in a rejected batch of *size*; empty if it reports none.

    Django REST Framework answers a rejected list with one object per item, which is empty for a valid item.
    """
    if not isinstance(body, list) or len(body) != size or not all(isinstance(entry, dict) for entry in body):
        return []
    return [index for index, entry in enumerate(body) if entry]
