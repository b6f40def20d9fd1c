"""Write arrays as PCD files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from attrs import frozen

from segments_async._validators import as_path
from segments_async.errors import InputError
from segments_async.pointclouds.colours import pack, to_bytes
from segments_async.pointclouds.files import replacing
from segments_async.pointclouds.pcd_header import ENCODINGS, Encoding, PcdHeader
from segments_async.pointclouds.pcd_reader import CHUNK_POINTS
from segments_async.pointclouds.pcd_writer import PcdWriter
from segments_async.pointclouds.precision import MAX_ROUNDING, Origin, Triple, check_rounding, narrow, resolve_origin

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

Color = Literal["rgb", "intensity", "both"]
"""What colours the points: ``"rgb"`` or ``"intensity"`` if there is one, else the other one; or both."""
COLORS: tuple[Color, ...] = ("rgb", "intensity", "both")
_DIMENSIONS = 2


@frozen
class PcdFile:
    """A PCD file that was written."""

    path: Path
    """Its path."""
    points: int
    """The number of its points."""
    fields: tuple[str, ...]
    """The names of its fields."""
    origin: Triple
    """What was subtracted from the positions; add it to those in labels to get the original coordinates."""


@frozen
class Rows:
    """Points to write, of a part of a cloud."""

    positions: npt.NDArray[Any]
    """N x 3, in the coordinates of the source."""
    rgb: npt.NDArray[np.uint8] | None = None
    """N x 3."""
    intensity: npt.NDArray[Any] | None = None
    """N."""


def array_to_pcd(
    positions: npt.ArrayLike,
    output_path: str | os.PathLike[str],
    *,
    intensity: npt.ArrayLike | None = None,
    rgb: npt.ArrayLike | None = None,
    encoding: Encoding = "binary",
    origin: Origin = None,
    max_rounding: float = MAX_ROUNDING,
) -> PcdFile:
    """
    Write arrays as a PCD file of 32-bit floats, which the service reads.

    Example::

        written = array_to_pcd(points[:, :3], "scan.pcd", intensity=points[:, 3])

    Args:
        positions: N x 3: x, y and z of each point. NaN and infinite ones are written as they are, so that the order of
            the points stays.
        output_path: Where to write. An existing file is replaced, when the new one is complete.
        intensity: N, or N x 1; any range.
        rgb: N x 3: floats from 0 to 1, floats or integers from 0 to 255, or integers from 0 to 65,535.
        encoding: ``"binary"``, ``"ascii"`` or ``"binary_compressed"``.
        origin: Subtracted from the positions, as 64-bit floats: ``(x, y, z)``; or ``"auto"``, the minimum rounded down
            to a multiple of 100.
        max_rounding: By how much a coordinate may change when it is rounded to 32 bits, in the unit of the positions.
            ``math.inf`` writes whatever comes out, as the official SDK does.

    Returns:
        The file, with the *origin* that was subtracted.

    Raises:
        InputError: An array has another shape, or values that cannot be written; or positions are too great for 32-bit
            floats, such as UTM coordinates without an *origin*.
        OSError: The file cannot be written.
    """
    places = _numbers(positions, "positions")
    if places.ndim != _DIMENSIONS or places.shape[1] != 3:  # noqa: PLR2004
        raise InputError(f"expected shape (N, 3), got {places.shape}", path="positions")
    count = len(places)
    strength = None if intensity is None else _numbers(intensity, "intensity")
    if strength is not None and strength.shape not in {(count,), (count, 1)}:
        raise InputError(f"expected shape ({count},), got {strength.shape}", path="intensity")
    colours = None if rgb is None else _numbers(rgb, "rgb")
    if colours is not None and colours.shape != (count, 3):
        raise InputError(f"expected shape ({count}, 3), got {colours.shape}", path="rgb")
    rows = Rows(
        places,
        None if colours is None else to_bytes(colours),
        None if strength is None else strength.reshape(count),
    )
    base = resolve_origin(origin, lowest(places))
    return write_rows(split(rows), as_path(output_path, "output_path"), count, base, encoding, max_rounding)


def _numbers(values: npt.ArrayLike, path: str) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"expected an array of numbers: {error}", path=path) from None
    if array.dtype.kind not in "iuf" and array.size:
        raise InputError(f"expected an array of numbers, got {array.dtype}", path=path)
    return array


def lowest(positions: npt.NDArray[Any]) -> list[float]:
    """Return the minimum of each axis; infinite if there is no finite coordinate."""
    if not len(positions):
        return [np.inf] * 3
    finite = np.where(np.isfinite(positions), positions, np.inf)
    return [float(value) for value in finite.min(axis=0)]


def split(rows: Rows) -> Iterator[Rows]:
    """Split points into chunks."""
    for start in range(0, max(len(rows.positions), 1), CHUNK_POINTS):
        part = slice(start, start + CHUNK_POINTS)
        yield Rows(
            rows.positions[part],
            None if rows.rgb is None else rows.rgb[part],
            None if rows.intensity is None else rows.intensity[part],
        )


def write_rows(
    chunks: Iterable[Rows], path: Path, points: int, origin: Triple, encoding: Encoding, max_rounding: float
) -> PcdFile:
    """
    Write points chunk by chunk; the first chunk decides which fields there are.

    Raises:
        InputError: A coordinate changes by more than *max_rounding*.
        DecodeError: There are more or fewer points than *points*.
    """
    if encoding not in ENCODINGS:
        raise InputError(f"expected one of {', '.join(ENCODINGS)}, got {encoding!r}", path="encoding")
    check_rounding(max_rounding)
    parts = iter(chunks)
    first = next(parts, Rows(np.empty((0, 3), np.float32)))
    header = PcdHeader(_type_of(first), points, encoding)
    with replacing(path) as file, PcdWriter(file, header) as writer:
        written = 0
        part: Rows | None = first
        while part is not None:
            writer.write(_pack_rows(part, header.dtype, narrow(part.positions, origin, max_rounding, written)))
            written += len(part.positions)
            part = next(parts, None)
    return PcdFile(path, points, header.dtype.names or (), origin)


def _type_of(rows: Rows) -> np.dtype[Any]:
    fields = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
    fields += [] if rows.rgb is None else [("rgb", "<u4")]
    fields += [] if rows.intensity is None else [("intensity", "<f4")]
    return np.dtype(fields)


def _pack_rows(rows: Rows, dtype: np.dtype[Any], positions: npt.NDArray[np.float32]) -> npt.NDArray[np.void]:
    points = np.empty(len(positions), dtype)
    for axis, name in enumerate(("x", "y", "z")):
        points[name] = positions[:, axis]
    if rows.rgb is not None:
        points["rgb"] = pack(rows.rgb)
    if rows.intensity is not None:
        with np.errstate(over="ignore"):
            points["intensity"] = rows.intensity
        if np.any(np.isinf(points["intensity"]) & np.isfinite(rows.intensity)):
            raise InputError("has values that a 32-bit float cannot represent", path="intensity")
    return points


def coloured(rgb: npt.NDArray[np.uint8] | None, intensity: npt.NDArray[Any] | None, color: Color) -> dict[str, Any]:
    """
    Choose what colours the points.

    Raises:
        InputError: *color* is unknown.
    """
    if color not in COLORS:
        raise InputError(f"expected one of {', '.join(COLORS)}, got {color!r}", path="color")
    if rgb is None or intensity is None or color == "both":
        return {"rgb": rgb, "intensity": intensity}
    return {"rgb": rgb} if color == "rgb" else {"intensity": intensity}
