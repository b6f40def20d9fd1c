"""Read the points of PCD files in chunks."""

from __future__ import annotations

import math
import struct
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from segments_async._counting import counted
from segments_async.errors import DecodeError
from segments_async.pointclouds._extra import require
from segments_async.pointclouds.files import bytes_left
from segments_async.pointclouds.pcd_header import PcdHeader, is_padding, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Points = npt.NDArray[np.void]

CHUNK_POINTS = 200_000
"""Points in memory at the same time."""
_LZF_RATIO = 88
"""LZF writes three bytes for 264 at best."""


class PcdReader:
    """
    The points of a PCD file.

    Args:
        file: The file at its beginning.

    Raises:
        DecodeError: It is not a PCD file, is truncated, or states more points than it has.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.header: PcdHeader = read_header(file)
        self._file = file
        left, size = bytes_left(file), self.header.points * self.header.dtype.itemsize
        binary = self.header.encoding == "binary"
        # A value of a text takes two bytes at least, its separator among them; a point has at least one value.
        if left < (size if binary else 2 * self.header.points - 1 if self.header.encoding == "ascii" else 0):
            raise DecodeError(
                f"is truncated: its header promises {counted(self.header.points, 'point')}, but is followed by "
                f"{counted(left, 'byte')}"
            )

    def chunks(self, points: int = CHUNK_POINTS) -> Iterator[Points]:
        """
        Read the points, with *points* at most in a chunk; a compressed file is decompressed at once.

        Raises:
            DecodeError: The file is damaged.
        """
        read = {"ascii": self._text, "binary": self._rows, "binary_compressed": self._columns}
        yield from read[self.header.encoding](points)

    def read(self) -> Points:
        """Read all points."""
        chunks = list(self.chunks())
        return np.concatenate(chunks) if chunks else np.empty(0, self.header.dtype)

    def _rows(self, points: int) -> Iterator[Points]:
        dtype, left = self.header.dtype, self.header.points
        while left:
            content = self._file.read(min(points, left) * dtype.itemsize)
            chunk = np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)
            if not len(chunk):
                raise DecodeError(f"is truncated: {left:,} of {counted(self.header.points, 'point')} missing")
            left -= len(chunk)
            yield chunk

    def _text(self, points: int) -> Iterator[Points]:
        row_type = _flat(self.header.dtype)
        lines = (line for line in self._file if line.strip())
        left = self.header.points
        while left:
            rows = list(islice(lines, min(points, left)))
            if not rows:
                raise DecodeError(f"is truncated: {left:,} of {counted(self.header.points, 'point')} missing")
            chunk = _parse(rows, row_type, self.header.points - left)
            left -= len(chunk)
            yield chunk.view(self.header.dtype)
        if next(lines, None) is not None:
            raise DecodeError(f"has more than {counted(self.header.points, 'point')}, which its header promises")

    def _columns(self, points: int) -> Iterator[Points]:
        header = self.header
        content = self._decompress(header.points * header.dtype.itemsize)
        columns, offset = {}, 0
        for name in header.dtype.names or ():
            column = header.dtype[name]
            values = np.frombuffer(content, column.base, header.points * math.prod(column.shape), offset)
            columns[name] = values.reshape(-1, *column.shape)
            offset += values.nbytes
        for start in range(0, header.points, points):
            chunk = np.empty(min(points, header.points - start), header.dtype)
            for name, values in columns.items():
                chunk[name] = values[start : start + points]
            yield chunk

    def _decompress(self, expected: int) -> bytes:
        sizes = self._file.read(8)
        if not expected:
            return b""
        if len(sizes) != 8:  # noqa: PLR2004
            raise DecodeError("is truncated: the sizes of its compressed points are missing")
        compressed, size = struct.unpack("<II", sizes)
        if size != expected:
            raise DecodeError(f"has {counted(size, 'byte')} of points; its header promises {expected:,}")
        left = bytes_left(self._file)
        if compressed > left or size > compressed * _LZF_RATIO:
            raise DecodeError(
                f"is truncated: {counted(size, 'byte')} of points, compressed to {min(compressed, left):,}"
            )
        lzf = require("lzf", "compressed PCD files")
        try:
            content: bytes | None = lzf.decompress(self._file.read(compressed), size)
        except ValueError as error:
            raise DecodeError("has damaged compressed points") from error
        if content is None or len(content) != size:
            raise DecodeError("has damaged compressed points")
        return content


def _flat(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type with one field for each value of a point, as a line of text has them."""
    bases: list[Any] = []
    for name in dtype.names or ():
        bases += [dtype[name].base] * math.prod(dtype[name].shape)
    return np.dtype([(f"v{index}", base) for index, base in enumerate(bases)])


def _parse(rows: list[bytes], row_type: np.dtype[Any], first: int) -> npt.NDArray[Any]:
    try:
        return np.loadtxt(rows, row_type, comments=None, ndmin=1, encoding="latin1")
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"has a line that is not a point, after line {first:,} of its points: {error}") from error


def without_padding(points: Points) -> Points:
    """Return the points without the fields that only fill space."""
    names = [name for name in points.dtype.names or () if not is_padding(name)]
    if len(names) == len(points.dtype.names or ()):
        return points
    packed = np.empty(len(points), [(name, points.dtype[name]) for name in names])
    for name in names:
        packed[name] = points[name]
    return packed
