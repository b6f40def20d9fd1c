"""Convert LAS and LAZ files with laspy."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from segments_async._counting import counted
from segments_async._validators import as_path
from segments_async.errors import DecodeError, SegmentsError
from segments_async.pointclouds._extra import require
from segments_async.pointclouds.arrays import Color, PcdFile, Rows, coloured, write_rows
from segments_async.pointclouds.clouds import PointCloud
from segments_async.pointclouds.colours import to_bytes
from segments_async.pointclouds.files import bytes_left, excerpt, open_source, target_path
from segments_async.pointclouds.pcd_reader import CHUNK_POINTS
from segments_async.pointclouds.precision import MAX_ROUNDING, Origin, resolve_origin

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy.typing as npt

    from segments_async.pointclouds.pcd_header import Encoding

_BYTE = 255
_LAS_1_0_BYTES, _LAS_1_4_BYTES = 227, 375
"""Sizes of the header."""
_RECORD_BYTES = 54
"""Of a variable length record at least."""
_COLOURS = ("red", "green", "blue")
_SORTED = {"X", "Y", "Z", "intensity", *_COLOURS}
"""The dimensions that are not among the fields of a `PointCloud`, as they have places of their own."""


def las_to_pcd(
    source: str | os.PathLike[str],
    output_path: str | os.PathLike[str] | None = None,
    *,
    color: Color = "rgb",
    encoding: Encoding = "binary",
    origin: Origin = None,
    max_rounding: float = MAX_ROUNDING,
) -> PcdFile:
    """
    Convert a LAS or LAZ file to a PCD file, in chunks: memory does not depend on its size.

    Positions are scaled and offset as the header says, as 64-bit floats. Georeferenced ones mostly need an *origin*.

    Example::

        written = las_to_pcd("scan.laz", origin="auto")
        print(written.path, written.origin)  # scan.pcd (500000.0, 4649700.0, 0.0)

    Args:
        source: The path of the LAS or LAZ file.
        output_path: Where to write; by default beside the source, with the suffix ``.pcd``.
        color: What to keep if there are both colours and intensities: ``"rgb"``, ``"intensity"`` or ``"both"``. Colours
            that are all black count as none.
        encoding: As in `array_to_pcd`.
        origin: As in `array_to_pcd`; ``"auto"`` uses the minimum that the header states.
        max_rounding: As in `array_to_pcd`.

    Returns:
        The file, with the *origin* that was subtracted.

    Raises:
        InputError: As in `array_to_pcd`.
        DecodeError: It is not a LAS file, is truncated, or has damaged points.
        ImportError: A LAZ file needs lazrs or laszip, and neither is installed.
        OSError: A file cannot be read or written.
    """
    path = as_path(source, "source")
    target = target_path(output_path, path, ".pcd")
    with open_source(path) as file:
        highest = _highest_colour(file)
        file.seek(0)
        with _opened(file) as reader:
            count = int(reader.header.point_count)
            base = resolve_origin(origin, [float(value) for value in reader.header.mins])
            return write_rows(_rows(reader, highest, color), target, count, base, encoding, max_rounding)


def read_las(file: IO[bytes]) -> PointCloud:
    """
    Read all points of a LAS or LAZ file, with extra dimensions among its fields.

    Raises:
        DecodeError: As in `las_to_pcd`.
    """
    highest = _highest_colour(file)
    file.seek(0)
    with _opened(file) as reader:
        count = int(reader.header.point_count)
        points = reader.read_points(count)
        if len(points) != count:
            raise DecodeError(f"is truncated: it has {len(points):,} of {counted(count, 'point')}")
        names = [name for name in reader.header.point_format.dimension_names if name not in _SORTED]
        fields = {name: np.asarray(points[name]) for name in names}
        return PointCloud(_positions(points), np.asarray(points["intensity"]), _colours(points, highest), fields)


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[Any]:
    """Open a LAS file, and turn whatever its libraries raise about its content into a `DecodeError`."""
    laspy: Any = require("laspy", "LAS files")
    _check_records(file)
    with _damage():
        # The parallel decompressor of lazrs ends the process when a damaged file makes it reserve too much memory.
        backends = [
            found for found in laspy.LazBackend.detect_available() if found is not laspy.LazBackend.LazrsParallel
        ]
        reader = laspy.open(file, closefd=False, laz_backend=backends)
        _check_header(reader.header, file)
    with _damage(), reader:
        if reader.header.are_points_compressed and not backends:
            raise ImportError('LAZ files need lazrs: pip install "segments-async[pointcloud]"', name="lazrs")
        yield reader


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (SegmentsError, ImportError, OSError):
        raise
    except Exception as error:
        raise DecodeError(f"is a damaged LAS file: {error or type(error).__name__}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of lazrs, which is written in Rust
            raise
        raise DecodeError(f"is a damaged LAZ file: {error}") from error


def _check_records(file: IO[bytes]) -> None:
    """Refuse more records before and after the points than the file can contain; laspy would read them for minutes."""
    head = file.read(_LAS_1_4_BYTES)
    file.seek(0)
    if head[:4] != b"LASF":
        raise DecodeError(f"is not a LAS file; {excerpt(head[:4])}")
    if len(head) < _LAS_1_0_BYTES:
        raise DecodeError("is truncated: its header is incomplete")
    size, points, records = bytes_left(file), *struct.unpack_from("<II", head, 96)
    later = struct.unpack_from("<I", head, 243)[0] if head[25] >= 4 and len(head) == _LAS_1_4_BYTES else 0  # noqa: PLR2004
    if points > size or records * _RECORD_BYTES > points or later * _RECORD_BYTES > size:
        raise DecodeError(
            f"is truncated: its header promises {counted(records + later, 'record')}, and it has "
            f"{counted(size, 'byte')}"
        )


def _check_header(header: Any, file: IO[bytes]) -> None:
    if not np.all(np.isfinite([header.scales, header.offsets])):
        raise DecodeError("has scales or offsets that are not finite")
    if header.are_points_compressed:
        return
    position = file.tell()
    file.seek(0)
    size, needed = bytes_left(file), header.offset_to_point_data + header.point_count * header.point_format.size
    file.seek(position)
    if size < needed:
        raise DecodeError(
            f"is truncated: its header promises {counted(header.point_count, 'point')}, {counted(needed, 'byte')}, "
            f"and it has {size:,}"
        )


def _highest_colour(file: IO[bytes]) -> int:
    """Return the greatest value of a colour, 256 if it is beyond 255, and 0 if there are no colours."""
    with _opened(file) as reader:
        if not set(_COLOURS) <= set(reader.header.point_format.dimension_names):
            return 0
        highest = 0
        for points in reader.chunk_iterator(CHUNK_POINTS):
            highest = max(highest, *(int(np.max(points[name], initial=0)) for name in _COLOURS))
            if highest > _BYTE:  # LAS says 16 bits, but many programs write 8
                return _BYTE + 1
        return highest


def _rows(reader: Any, highest: int, color: Color) -> Iterator[Rows]:
    for points in reader.chunk_iterator(CHUNK_POINTS):
        intensity = np.asarray(points["intensity"])
        yield Rows(_positions(points), **coloured(_colours(points, highest), intensity, color))


def _positions(points: Any) -> npt.NDArray[np.float64]:
    """Return the positions, scaled and offset."""
    return np.stack([np.asarray(points[name], np.float64) for name in ("x", "y", "z")], axis=-1)


def _colours(points: Any, highest: int) -> npt.NDArray[np.uint8] | None:
    if not highest:
        return None
    return to_bytes(np.stack([np.asarray(points[name]) for name in _COLOURS], axis=-1), highest)
