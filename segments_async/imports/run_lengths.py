"""Decode COCO's run lengths (extra ``import``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._counting import counted
from segments_async.imports._numpy import np
from segments_async.imports.reading import UnreadableError

if TYPE_CHECKING:
    import numpy.typing as npt

    Lengths = npt.NDArray[np.int64]

_FIRST, _LAST = 48, 111
"""The characters of compressed run lengths: six bits each, from ``0``."""
_MAX_GROUPS = 12
"""Characters of one number, so that it has less than 64 bits."""


def run_length_bits(counts: Any, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """
    Return the pixels of COCO's run lengths: a list of numbers, or their compressed text.

    Raises:
        UnreadableError: They do not fill the image exactly.
    """
    width, height = size
    lengths = _decompress(counts) if isinstance(counts, str) else _plain(counts)
    if lengths.size and lengths.min() < 0:
        raise UnreadableError("segmentation.counts: expected lengths of 0 or more")
    if (total := int(lengths.sum())) != width * height:
        raise UnreadableError(f"segmentation.counts: {counted(total, 'pixel')}, but its size is {width} x {height}")
    values = np.arange(lengths.size) % 2 == 1
    return np.repeat(values, lengths).reshape(width, height).T


def _plain(counts: Any) -> Lengths:
    try:
        lengths = np.asarray(counts, np.float64)
    except (TypeError, ValueError):
        lengths = np.full(1, np.nan)
    if lengths.ndim != 1 or not (np.abs(lengths) < 2**53).all() or (lengths % 1).any():
        raise UnreadableError("segmentation.counts: expected a list of whole numbers, or a text")
    return lengths.astype(np.int64)


def _decompress(text: str) -> Lengths:
    """
    Read compressed run lengths.

    A number is a group of characters, of five bits each, lowest first; the sixth bit says that more follow. From the
    fourth number on, each is the difference to the one before the last.
    """
    parts = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - _FIRST
    if parts.size == 0:
        return parts
    if parts.min() < 0 or parts.max() > _LAST - _FIRST:
        raise UnreadableError("segmentation.counts: unexpected characters")
    ends = np.flatnonzero(parts & 32 == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts + 1
    if not ends.size or ends[-1] != parts.size - 1 or sizes.max() > _MAX_GROUPS:
        raise UnreadableError("segmentation.counts: ends early")
    places = np.arange(parts.size) - np.repeat(starts, sizes)
    lengths = np.add.reduceat((parts & 31) << (5 * places), starts)
    lengths -= np.where(parts[ends] & 16, np.int64(1) << (5 * sizes), 0)
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    return lengths
