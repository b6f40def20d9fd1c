"""Point clouds in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen

from segments_async.errors import DecodeError, InputError
from segments_async.pointclouds.colours import to_bytes, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

_AXES = ("x", "y", "z")
_PACKED = ("rgb", "rgba")
_CHANNELS = (("r", "g", "b"), ("red", "green", "blue"))
_INTENSITY = ("intensity", "i")
_PACKED_BYTES = 4


@frozen(eq=False)
class PointCloud:
    """
    The points of a file, in its order.

    Example::

        cloud = read_pointcloud("scan.pcd")
        print(len(cloud), cloud.positions.max(axis=0))
    """

    positions: npt.NDArray[Any] = field(repr=False)
    """N x 3: x, y and z, in the unit of the file, as 32- or 64-bit floats or integers, as in the file."""
    intensity: npt.NDArray[Any] | None = field(default=None, repr=False)
    """N, of the file's type and range; None if it has none."""
    rgb: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    """N x 3, from 0 to 255; None if it has none."""
    fields: Mapping[str, npt.NDArray[Any]] = field(factory=dict, repr=lambda fields: repr(sorted(fields)))
    """All other fields by name, such as ``ring``: N, or N x count."""

    def __len__(self) -> int:
        return len(self.positions)


def cloud_of(points: npt.NDArray[np.void]) -> PointCloud:
    """
    Sort the fields of points by their meaning.

    Raises:
        DecodeError: There is no x, y or z.
    """
    fields = {name: points[name] for name in points.dtype.names or ()}
    positions = positions_of(fields)
    rgb = colours_of(fields)
    intensity = intensity_of(fields)
    used = {*_AXES, *rgb_names(fields), *[name for name in _INTENSITY if fields.get(name) is intensity]}
    left = {name: values for name, values in fields.items() if name not in used}
    return PointCloud(positions, intensity, None if rgb is None else file_colours(rgb), left)


def file_colours(rgb: npt.NDArray[Any], highest: float | None = None) -> npt.NDArray[np.uint8]:
    """
    Convert the colours of a file to 8 bits per channel.

    Raises:
        DecodeError: They have values that are no colours.
    """
    try:
        return to_bytes(rgb, highest)
    except InputError as error:
        raise DecodeError(f"has colours that are none: {error.problem}") from error


def positions_of(fields: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """
    Return the positions, N x 3.

    Raises:
        DecodeError: There is no x, y or z.
    """
    missing = [name for name in _AXES if name not in fields or fields[name].ndim != 1]
    if missing:
        raise DecodeError(f"has no field {missing[0]!r}; its fields are {', '.join(fields) or 'none'}")
    return np.stack([fields[name] for name in _AXES], axis=-1)


def rgb_names(fields: Mapping[str, npt.NDArray[Any]]) -> tuple[str, ...]:
    """Return the names of the fields with the colours; empty if there are none."""
    for name in _PACKED:
        if name in fields and fields[name].dtype.itemsize == _PACKED_BYTES and fields[name].ndim == 1:
            return (name,)
    return next((names for names in _CHANNELS if all(name in fields for name in names)), ())


def colours_of(fields: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
    """Return the colours in the range of the file, N x 3; None if it has none."""
    names = rgb_names(fields)
    if not names:
        return None
    return unpack(fields[names[0]]) if len(names) == 1 else np.stack([fields[name] for name in names], axis=-1)


def intensity_of(fields: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
    """Return the intensity; None if there is none."""
    name = next((name for name in _INTENSITY if name in fields and fields[name].ndim == 1), None)
    return None if name is None else fields[name]
