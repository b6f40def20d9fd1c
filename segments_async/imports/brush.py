"""
Decode the run lengths of Label Studio's brush (extra ``import``).

Source: labelstud.io, "Brush"; the format is that of the library thi.ng/rle-pack. It is a stream of bits: 32 with the
number of values, 5 with the bits of a value less one, four times 4 with the bits of a length less one; then runs. A run
has one bit for whether all its values are equal, two bits that choose one of the four sizes, the length less one in
that size, and its value or values. The values are the red, green, blue and opacity of each pixel, row by row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async.imports._numpy import np
from segments_async.imports.reading import UnreadableError

if TYPE_CHECKING:
    import numpy.typing as npt

_CHANNELS = 4
_BYTE = 255


class _Bits:
    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self._bits = np.unpackbits(data)
        self._at = 0

    def number(self, size: int) -> int:
        """Read a number of *size* bits."""
        return int(self.numbers(size, 1)[0])

    def numbers(self, size: int, count: int) -> npt.NDArray[np.int64]:
        """Read several numbers of *size* bits each."""
        end = self._at + size * count
        if end > self._bits.size:
            raise UnreadableError("rle: ends early")
        part = self._bits[self._at : end].reshape(count, size).astype(np.int64)
        self._at = end
        return part @ (np.int64(1) << np.arange(size - 1, -1, -1, dtype=np.int64))


def brush_bits(rle: Any, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """
    Return the pixels of a brush, height x width, that are not transparent.

    Raises:
        UnreadableError: They are damaged, or those of an image of another size.
    """
    width, height = size
    stream = _Bits(_bytes_of(rle))
    count = stream.number(32)
    if count != width * height * _CHANNELS:
        raise UnreadableError(f"rle: {count // _CHANNELS} pixels, but the image has {width} x {height}")
    word = stream.number(5) + 1
    sizes = stream.numbers(4, _CHANNELS) + 1
    is_set = np.empty(count, np.bool_)
    start = 0
    while start < count:
        is_equal = stream.number(1)
        length = stream.number(int(sizes[stream.number(2)])) + 1
        is_set[start : start + length] = stream.numbers(word, 1 if is_equal else length)[: count - start] > 0
        start += length
    return is_set.reshape(height, width, _CHANNELS)[:, :, 3]


def _bytes_of(rle: Any) -> npt.NDArray[np.uint8]:
    try:
        found = np.asarray(rle, np.float64)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if found.ndim != 1 or not ((found >= 0) & (found <= _BYTE) & (found % 1 == 0)).all():
        raise UnreadableError("rle: expected a list of bytes")
    return found.astype(np.uint8)
