"""
Positions and rotations in three dimensions.

All coordinate systems are right-handed, with z up. Source: docs.segments.ai/reference/sample-types and label-types.
"""

import math
from typing import Self

from attrs import define

from segments_async.models._base import Model


@define
class XYZ(Model):
    """
    A position, or lengths, along three axes.

    Example:
        >>> XYZ(1.5, -2, 0.25).y
        -2
    """

    x: float
    """Along x, in the unit of the point cloud."""
    y: float
    """Along y, in the unit of the point cloud; x, y and z are right-handed."""
    z: float
    """Along z, which points up, in the unit of the point cloud."""


@define(kw_only=True)
class PartialXYZ(Model):
    """Lengths along some of three axes, such as the limits of a warning rule."""

    x: float | None = None
    """Along x, in the unit of the point cloud; None sets no value."""
    y: float | None = None
    """Along y, in the unit of the point cloud; None sets no value."""
    z: float | None = None
    """Along z, in the unit of the point cloud; None sets no value."""


@define
class XYZW(Model):
    """
    A rotation, as a right-handed unit quaternion: it rotates counter-clockwise about its axis.

    Example:
        >>> XYZW.from_yaw(math.pi).qz
        1.0
    """

    qx: float
    """x of the axis, times the sine of half the angle."""
    qy: float
    """y of the axis, times the sine of half the angle."""
    qz: float
    """z of the axis, times the sine of half the angle."""
    qw: float
    """The cosine of half the angle."""

    @classmethod
    def from_yaw(cls, yaw: float) -> Self:
        """
        Create a rotation about z.

        Args:
            yaw: Radians, counter-clockwise as seen from above.
        """
        return cls(0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))

    @property
    def yaw(self) -> float:
        """The rotation about z: radians, counter-clockwise as seen from above, -pi to pi."""
        turn, rest = self.qw * self.qz + self.qx * self.qy, self.qy**2 + self.qz**2
        return math.atan2(2 * turn, 1 - 2 * rest)


@define(kw_only=True)
class EgoPose(Model):
    """The position and orientation of the sensor. Source: docs.segments.ai/reference/sample-types."""

    position: XYZ
    """The position of the sensor in world coordinates, in the unit of the point cloud."""
    heading: XYZW
    """Rotation from ego to world coordinates; the ego coordinates are right-handed too."""


@define(kw_only=True)
class Bounds(Model):
    """
    The initial limiting cuboid of the label editor, in world coordinates.

    Source: docs.segments.ai/reference/sample-types.
    """

    min_x: float | None = None
    """Minimum x, in the unit of the point cloud."""
    max_x: float | None = None
    """Maximum x, in the unit of the point cloud."""
    min_y: float | None = None
    """Minimum y, in the unit of the point cloud."""
    max_y: float | None = None
    """Maximum y, in the unit of the point cloud."""
    min_z: float | None = None
    """Minimum z, in the unit of the point cloud; the lower end of the colour scale for heights."""
    max_z: float | None = None
    """Maximum z, in the unit of the point cloud; the upper end of the colour scale for heights."""
