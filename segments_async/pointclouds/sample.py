"""Thin out PCD files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from segments_async._validators import as_path, is_count
from segments_async.errors import InputError
from segments_async.pointclouds.arrays import PcdFile
from segments_async.pointclouds.files import open_source, replacing, target_path
from segments_async.pointclouds.pcd_reader import PcdReader, without_padding
from segments_async.pointclouds.pcd_writer import PcdWriter
from segments_async.pointclouds.precision import NO_ORIGIN

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from segments_async.pointclouds.pcd_header import Encoding


def sample_pcd(
    source: str | os.PathLike[str],
    points: int = 500_000,
    output_path: str | os.PathLike[str] | None = None,
    *,
    encoding: Encoding = "binary_compressed",
) -> PcdFile:
    """
    Keep evenly spaced points of a PCD file, with all their fields.

    Example::

        sampled = sample_pcd("scan.pcd", 100_000)  # writes scan_sampled.pcd

    Args:
        source: The path of the PCD file. ASCII and binary ones are read in chunks, compressed ones into memory.
        points: How many points to keep; all, if there are fewer.
        output_path: Where to write; by default beside the source, with ``_sampled`` appended to its name.
        encoding: As in `array_to_pcd`.

    Returns:
        The file.

    Raises:
        InputError: *points* is not a whole number above 0.
        DecodeError: It is not a PCD file, is truncated, or is damaged.
        OSError: A file cannot be read or written.
    """
    if not is_count(points) or points < 1:
        raise InputError(f"expected a whole number of at least 1, got {points!r}", path="points")
    path = as_path(source, "source")
    target = target_path(output_path or path.with_name(f"{path.stem}_sampled.pcd"), path, ".pcd")
    with open_source(path) as file:
        reader = PcdReader(file)
        kept = min(points, reader.header.points)
        dtype = without_padding(np.empty(0, reader.header.dtype)).dtype
        header = attrs.evolve(reader.header, points=kept, encoding=encoding, dtype=dtype)
        with replacing(target) as written, PcdWriter(written, header) as writer:
            start = 0
            for chunk in reader.chunks():
                writer.write(without_padding(chunk[_spaced(start, len(chunk), kept, reader.header.points)]))
                start += len(chunk)
    return PcdFile(target, kept, dtype.names or (), NO_ORIGIN)


def _spaced(start: int, length: int, kept: int, total: int) -> npt.NDArray[Any]:
    """Return the indices to keep of *length* points from *start*: of all, point ``number * total // kept``."""
    first = -(-start * kept // total)
    last = -(-(start + length) * kept // total)
    return np.arange(first, last, dtype=np.int64) * total // kept - start
