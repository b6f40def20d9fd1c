"""Read a point cloud of any format that the service takes."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import numpy as np

from segments_async._counting import counted
from segments_async.errors import DecodeError, InputError
from segments_async.models import PCDType
from segments_async.pointclouds.clouds import PointCloud, cloud_of
from segments_async.pointclouds.files import Source, bytes_left, excerpt, open_source
from segments_async.pointclouds.las import read_las
from segments_async.pointclouds.pcd_reader import PcdReader, without_padding
from segments_async.pointclouds.ply import read_ply

if TYPE_CHECKING:
    from collections.abc import Callable

_XYZI = np.dtype([(name, "<f4") for name in ("x", "y", "z", "intensity")])
_XYZIR = np.dtype([*((name, "<f4") for name in ("x", "y", "z", "intensity", "ring"))])


def read_pointcloud(source: Source, type: str | None = None) -> PointCloud:
    """
    Read a point cloud: PCD (ASCII, binary or compressed), PLY, LAS, LAZ, or the binary formats of KITTI and nuScenes.

    Example::

        cloud = read_pointcloud("scan.pcd")
        kitti = read_pointcloud("000000.bin", "kitti")

    Args:
        source: The path of the file, or its bytes.
        type: One of `PCDType`, as in `PCD.type`. By default the file's beginning decides; the binary formats have none,
            so that they need it.

    Returns:
        The points, in the order of the file. Positions of LAS files are scaled and offset, as 64-bit floats.

    Raises:
        InputError: *type* is unknown, or needed.
        DecodeError: The file is of another format, is truncated, damaged, or has no positions.
        OSError: The path cannot be read.
    """
    if type is not None and type not in _READERS:
        raise InputError(f"expected one of {', '.join(_READERS)}, got {type!r}", path="type")
    with open_source(source) as file:
        return _READERS[type or _found_type(file)](file)


def _found_type(file: IO[bytes]) -> str:
    start = file.read(512)
    file.seek(0)
    if start.startswith(b"LASF"):
        return "las"
    if start.startswith((b"ply\n", b"ply\r")):
        return "ply"
    if start.lstrip().startswith((b"#", b"VERSION", b"FIELDS")):
        return "pcd"
    raise InputError(f"is no PCD, PLY or LAS file, so that its type is needed; {excerpt(start)}", path="type")


def _read_pcd(file: IO[bytes]) -> PointCloud:
    return cloud_of(without_padding(PcdReader(file).read()))


def _binary(dtype: np.dtype[np.void]) -> Callable[[IO[bytes]], PointCloud]:
    def read(file: IO[bytes]) -> PointCloud:
        size = bytes_left(file)
        if size % dtype.itemsize:
            raise DecodeError(f"has {counted(size, 'byte')}, which is no multiple of the {dtype.itemsize} of a point")
        return cloud_of(np.frombuffer(file.read(), dtype))

    return read


_READERS: dict[str, Callable[[IO[bytes]], PointCloud]] = {
    PCDType.PCD: _read_pcd,
    PCDType.PLY: read_ply,
    PCDType.LAS: read_las,
    PCDType.KITTI: _binary(_XYZI),
    PCDType.BINARY_XYZI: _binary(_XYZI),
    PCDType.NUSCENES: _binary(_XYZIR),
    PCDType.BINARY_XYZIR: _binary(_XYZIR),
}
