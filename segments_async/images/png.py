"""A fast PNG encoder for images that consist of flat areas, and what the chunks of a PNG say."""

from __future__ import annotations

import struct
import zlib
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_UP = 2
"""The PNG filter that stores the difference from the row above, which is nearly always 0 in flat areas."""
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""Grey, RGB and RGBA, by the number of channels."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_METADATA = frozenset({b"eXIf", b"iTXt", b"tEXt", b"zTXt"})
"""Chunks that may contain an orientation."""
_PIECE = 1 << 20
"""Bytes to read at once, as a damaged file may state any length."""
_SIZE_OFFSET = 16
_BIT_DEPTH_OFFSET = 24


def encode_png(pixels: npt.NDArray[Any]) -> bytes:
    """
    Encode pixels as grey (height x width), RGB or RGBA (x 3, x 4); grey may have two bytes per pixel.

    It is four times as fast as Pillow on label bitmaps. It uses one filter for all rows, which leaves long runs of
    zeros, and compresses only runs, as a search for other matches would be slow and gain nothing.
    """
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim > 2 else 1  # noqa: PLR2004
    depth = 8 * pixels.dtype.itemsize
    raw = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    rows = np.empty((height, raw.shape[1] + 1), np.uint8)
    rows[:, 0] = _UP
    rows[0, 1:] = raw[0]
    np.subtract(raw[1:], raw[:-1], out=rows[1:, 1:])
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    data = compressor.compress(rows.data) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, _COLOUR_TYPES[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)])


def bit_depth(content: bytes) -> int | None:
    """Return the bits per channel of a PNG; None if it is not a PNG."""
    is_png = content.startswith(_SIGNATURE) and len(content) > _BIT_DEPTH_OFFSET
    return content[_BIT_DEPTH_OFFSET] if is_png else None


def pixel_count(content: bytes) -> int | None:
    """Return the number of pixels that the header of a PNG states; None if it is not a PNG."""
    if bit_depth(content) is None:
        return None
    width, height = struct.unpack_from(">II", content, _SIZE_OFFSET)
    return int(width * height)


def metadata_follows_pixels(file: IO[bytes]) -> bool:
    """Return whether a PNG has metadata after its pixels; the position in the file is kept."""
    position = file.tell()
    try:
        file.seek(len(_SIGNATURE))
        seen_pixels = False
        while len(header := file.read(8)) == 8:  # noqa: PLR2004
            length, kind = struct.unpack(">I4s", header)
            if kind == b"IDAT":
                seen_pixels = True
            elif seen_pixels and kind in _METADATA:
                return True
            file.seek(length + 4, 1)
        return False
    finally:
        file.seek(position)


def has_damaged_pixels(file: IO[bytes]) -> bool:
    """
    Return whether a checksum of a PNG's pixels is wrong; the position in the file is kept.

    Pillow does not compare these checksums, and stops before that of the whole once it has the last row.
    """
    position = file.tell()
    try:
        file.seek(len(_SIGNATURE))
        while len(header := file.read(8)) == 8:  # noqa: PLR2004
            length, kind = struct.unpack(">I4s", header)
            if kind != b"IDAT":
                file.seek(length + 4, 1)
                continue
            checksum = zlib.crc32(kind)
            while length and (piece := file.read(min(length, _PIECE))):
                checksum = zlib.crc32(piece, checksum)
                length -= len(piece)
            stored = file.read(4)
            if len(stored) == 4 and checksum != int.from_bytes(stored):  # noqa: PLR2004
                return True
        return False
    finally:
        file.seek(position)
