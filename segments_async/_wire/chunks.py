"""How a run of items is cut into requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

MAX_BATCH_ITEMS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024


def fits(items: int, size: int, extra: int, *, max_items: int, max_bytes: int = MAX_BATCH_BYTES) -> bool:
    """
    Whether another item of *extra* bytes still goes into a batch that holds *items* of *size* bytes in all.

    The first always does: what is too large alone is for the service to refuse.
    """
    return items == 0 or (items < max_items and size + extra <= max_bytes)


def split_by_bytes(items: Sequence[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Cut *items*, which are not too many for one batch, where they would be too many bytes."""
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
    """Cut a batch of two or more in the middle, to find out which half is refused."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


def rejected_indices(body: Any, size: int) -> list[int]:
    """
    Which items of a refused batch of *size* the service names, by index; empty if it does not say.

    Django REST Framework answers a refused list with one object for each item, empty for the good ones.
    """
    if not isinstance(body, list) or len(body) != size or not all(isinstance(entry, dict) for entry in body):
        return []
    return [index for index, entry in enumerate(body) if entry]
