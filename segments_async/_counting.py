"""Counts in messages."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """
    Return a count with its noun, in the singular only for one.

    Example:
        >>> counted(1, "item"), counted(1200, "item"), counted(0, "category", "categories")
        ('1 item', '1,200 items', '0 categories')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
