"""Write PCD files in chunks, in memory that does not depend on the number of points."""

from __future__ import annotations

import math
import struct
import tempfile
from typing import IO, TYPE_CHECKING, Any

from segments_async._counting import counted
from segments_async._misuse import NeedsWith
from segments_async.errors import DecodeError, InputError
from segments_async.pointclouds._extra import require

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import numpy as np
    import numpy.typing as npt

    from segments_async.pointclouds.pcd_header import PcdHeader

_BLOCK_BYTES = 1024 * 1024
"""Compressed at once. The blocks of LZF refer to no byte before them, so that one can follow the other."""
_MAX_COMPRESSED = 2**32 - 1
_TEXT = {"f4": "%.9g", "f8": "%.17g"}
"""As many digits as identify a float."""


class PcdWriter(NeedsWith):
    """
    The points of a PCD file, chunk by chunk; used with ``with``.

    Args:
        file: Where to write.
        header: The header, with the number of points that are going to be written.

    Raises:
        InputError: There are more than 4 GB of points, which a compressed file cannot have.
    """

    def __init__(self, file: IO[bytes], header: PcdHeader) -> None:
        if header.encoding == "binary_compressed" and header.points * header.dtype.itemsize > _MAX_COMPRESSED:
            raise InputError("a compressed PCD file has 4 GB of points at most; use 'binary'", path="encoding")
        self._file = file
        self._header = header
        self._written = 0
        self._columns: dict[str, IO[bytes]] = {}
        file.write(header.text())

    def __enter__(self) -> Self:
        if self._header.encoding == "binary_compressed":
            names = self._header.dtype.names or ()
            self._columns = {name: tempfile.TemporaryFile() for name in names}  # noqa: SIM115 (closed in __exit__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            for column in self._columns.values():
                column.close()

    def write(self, points: npt.NDArray[np.void]) -> None:
        """Append points, whose type is that of the header."""
        self._written += len(points)
        if self._header.encoding == "binary":
            self._file.write(points.tobytes())
        elif self._header.encoding == "ascii":
            self._file.write(_text(points))
        else:
            for name, column in self._columns.items():
                column.write(points[name].tobytes())

    def _finish(self) -> None:
        if self._written != self._header.points:
            raise DecodeError(f"is truncated: it has {self._written:,} of {counted(self._header.points, 'point')}")
        if self._header.encoding == "binary_compressed":
            self._compress()

    def _compress(self) -> None:
        place = self._file.tell()
        self._file.write(bytes(8))
        lzf = require("lzf", "compressed PCD files")
        for column in self._columns.values():
            column.seek(0)
            while block := column.read(_BLOCK_BYTES):
                self._file.write(lzf.compress(block, len(block) * 2 + 64))
        end = self._file.tell()
        size = self._header.points * self._header.dtype.itemsize
        if end - place - 8 > _MAX_COMPRESSED:
            raise InputError("a compressed PCD file has 4 GB at most; use 'binary'", path="encoding")
        self._file.seek(place)
        self._file.write(struct.pack("<II", end - place - 8, size))
        self._file.seek(end)


def _text(points: npt.NDArray[np.void]) -> bytes:
    columns: list[list[Any]] = []
    formats: list[str] = []
    for name in points.dtype.names or ():
        values = points[name].reshape(len(points), math.prod(points.dtype[name].shape))
        formats += [_TEXT.get(f"{values.dtype.kind}{values.dtype.itemsize}", "%d")] * values.shape[1]
        columns += values.T.tolist()
    line = " ".join(formats) + "\n"
    return "".join([line % row for row in zip(*columns, strict=True)]).encode()
