"""Convert PLY files with plyfile."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from segments_async._counting import counted
from segments_async._validators import as_path
from segments_async.errors import DecodeError
from segments_async.pointclouds._extra import require
from segments_async.pointclouds.arrays import Color, PcdFile, Rows, coloured, lowest, write_rows
from segments_async.pointclouds.clouds import PointCloud, cloud_of, colours_of, file_colours, intensity_of, positions_of
from segments_async.pointclouds.files import bytes_left, excerpt, open_source, target_path
from segments_async.pointclouds.pcd_header import MAX_HEADER_BYTES, Encoding
from segments_async.pointclouds.pcd_reader import CHUNK_POINTS
from segments_async.pointclouds.precision import MAX_ROUNDING, Origin, resolve_origin

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    Fields = Mapping[str, npt.NDArray[Any]]

_counts = re.compile(rb"^element\s+\S+\s+(\d+)", re.MULTILINE)


def ply_to_pcd(
    source: str | os.PathLike[str],
    output_path: str | os.PathLike[str] | None = None,
    *,
    color: Color = "rgb",
    encoding: Encoding = "binary",
    origin: Origin = None,
    max_rounding: float = MAX_ROUNDING,
) -> PcdFile:
    """
    Convert the vertices of a PLY file, of any byte order or ASCII, to a PCD file.

    Binary vertices without lists are read in chunks; others are read into memory.

    Example::

        written = ply_to_pcd("scan.ply")  # writes scan.pcd

    Args:
        source: The path of the PLY file.
        output_path: Where to write; by default beside the source, with the suffix ``.pcd``.
        color: What to keep if there are both colours (``red``, ``green`` and ``blue``, or ``r``, ``g`` and ``b``) and
            ``intensity`` (or ``i``): ``"rgb"``, ``"intensity"`` or ``"both"``.
        encoding: As in `array_to_pcd`.
        origin: As in `array_to_pcd`.
        max_rounding: As in `array_to_pcd`.

    Returns:
        The file, with the *origin* that was subtracted.

    Raises:
        InputError: As in `array_to_pcd`.
        DecodeError: It is not a PLY file, is truncated, or has no positions.
        OSError: A file cannot be read or written.
    """
    path = as_path(source, "source")
    target = target_path(output_path, path, ".pcd")
    with open_source(path) as file:
        fields = _vertices(file)
        count = len(fields["x"]) if "x" in fields else 0
        minimum = np.min([lowest(positions_of(part)) for part in _chunks(fields, count)], axis=0)
        rows = _rows(fields, count, color)
        return write_rows(rows, target, count, resolve_origin(origin, minimum.tolist()), encoding, max_rounding)


def read_ply(file: IO[bytes]) -> PointCloud:
    """
    Read the vertices of a PLY file.

    Raises:
        DecodeError: As in `ply_to_pcd`.
    """
    fields = _vertices(file)
    positions = positions_of(fields)
    points = np.empty(len(positions), [(name, values.dtype, values.shape[1:]) for name, values in fields.items()])
    for name, values in fields.items():
        points[name] = values
    return cloud_of(points)


def _vertices(file: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    """Read the properties of the vertices that are numbers."""
    plyfile: Any = require("plyfile", "PLY files")
    _check_counts(file)
    try:
        # It opens a path itself, as it leaves files that others opened to the garbage collector.
        content = plyfile.PlyData.read(getattr(file, "name", file))
        data = content["vertex"].data
    except KeyError:
        raise DecodeError("has no element 'vertex'") from None
    except (plyfile.PlyParseError, ValueError, OverflowError, MemoryError, UnicodeError) as error:
        raise DecodeError(f"is a damaged PLY file: {error}") from error
    return {name: data[name] for name in data.dtype.names if data.dtype[name].kind in "iuf"}


def _check_counts(file: IO[bytes]) -> None:
    """Refuse a header that states more than the file can contain, before memory is reserved for it."""
    head = file.read(MAX_HEADER_BYTES)
    file.seek(0)
    if not head.startswith(b"ply"):
        raise DecodeError(f"is not a PLY file; {excerpt(head)}")
    size = bytes_left(file)
    for found in _counts.findall(head.partition(b"end_header")[0]):
        if int(found[:20]) > size:
            raise DecodeError(
                f"is truncated: its header promises {counted(int(found[:20]), 'element')} in {counted(size, 'byte')}"
            )


def _chunks(fields: Fields, count: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
    for start in range(0, max(count, 1), CHUNK_POINTS):
        yield {name: values[start : start + CHUNK_POINTS] for name, values in fields.items()}


def _rows(fields: Fields, count: int, color: Color) -> Iterator[Rows]:
    highest = max((_highest(colours_of(part)) for part in _chunks(fields, count)), default=0)
    for part in _chunks(fields, count):
        rgb = colours_of(part)
        colours = None if rgb is None else file_colours(rgb, highest)
        yield Rows(positions_of(part), **coloured(colours, intensity_of(part), color))


def _highest(rgb: npt.NDArray[Any] | None) -> float:
    return 0 if rgb is None or not len(rgb) else float(rgb.max())
