"""Colours of points: 8 bits for each of red, green and blue, packed into the field ``rgb`` of PCD files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segments_async.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

_BYTE = 255
_SIXTEEN_BITS = 65_535


def to_bytes(rgb: npt.NDArray[Any], highest: float | None = None) -> npt.NDArray[np.uint8]:
    """
    Convert colours to 8 bits per channel.

    Floats from 0 to 1 are scaled; other floats and integers up to 255 are taken as they are; greater integers are of 16
    bits.

    Args:
        rgb: N x 3.
        highest: The greatest value of the whole cloud, which decides; by default that of *rgb*.

    Raises:
        InputError: A value is negative, not a number, or too great.
    """
    if not len(rgb):
        return np.empty((0, 3), np.uint8)
    if highest is None:
        highest = float(rgb.max())
    limit = _SIXTEEN_BITS if rgb.dtype.kind in "iu" else _BYTE
    if not (float(rgb.min()) >= 0 and highest <= limit):
        raise InputError(f"expected values from 0 to {limit}, got {rgb.min()} to {rgb.max()}", path="rgb")
    if rgb.dtype.kind == "f":
        return np.rint(np.asarray(rgb, np.float64) * (_BYTE if highest <= 1 else 1)).astype(np.uint8)
    if highest <= _BYTE:
        return rgb.astype(np.uint8)
    return (rgb.astype(np.uint16) >> 8).astype(np.uint8)


def pack(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Pack colours into 32-bit integers: red in the highest of the lower three bytes."""
    wide = rgb.astype(np.uint32)
    return wide[:, 0] << np.uint32(16) | wide[:, 1] << np.uint32(8) | wide[:, 2]


def unpack(packed: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Unpack colours from 4 bytes of any type, N; returns N x 3."""
    values = np.ascontiguousarray(packed).view("<u4")
    return np.stack([values >> 16 & _BYTE, values >> 8 & _BYTE, values & _BYTE], axis=-1).astype(np.uint8)
