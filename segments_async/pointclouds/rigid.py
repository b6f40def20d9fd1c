"""Rigid transformations: a rotation, then a translation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from attrs import field, frozen

from segments_async.errors import InputError
from segments_async.models import XYZ, XYZW, EgoPose

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Matrix = npt.NDArray[np.float64]


def rotation_about_z(yaw: float) -> Matrix:
    """Return the rotation matrix of an angle in radians."""
    return rotation_matrix(XYZW.from_yaw(yaw))


def rotation_matrix(rotation: XYZW) -> Matrix:
    """
    Return the matrix of a quaternion of any length.

    Raises:
        InputError: It is all zeros, or not finite.
    """
    values = np.array([rotation.qx, rotation.qy, rotation.qz, rotation.qw], np.float64)
    length = float(np.linalg.norm(values))
    if not 0 < length < np.inf:
        raise InputError("expected a rotation that is finite and not all zeros", path="rotation")
    x, y, z, w = values / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion(matrix: Matrix) -> XYZW:
    """Return the quaternion of a rotation matrix, with qw of 0 or more."""
    # Of the four ways to compute it, the one that divides by the largest number (Shepperd's method).
    trace = float(np.trace(matrix))
    squares = [1 - trace + 2 * matrix[axis, axis] for axis in range(3)] + [1 + trace]
    largest = int(np.argmax(squares))
    values = np.empty(4)
    if largest == 3:  # noqa: PLR2004 (w)
        values[:3] = _off_diagonal(matrix)
        values[3] = squares[3]
    else:
        first, second = (largest + 1) % 3, (largest + 2) % 3
        values[largest] = squares[largest]
        values[first] = matrix[first, largest] + matrix[largest, first]
        values[second] = matrix[second, largest] + matrix[largest, second]
        values[3] = _off_diagonal(matrix)[largest]
    values /= np.linalg.norm(values) * (-1 if values[3] < 0 else 1)
    return XYZW(*values.tolist())


def _off_diagonal(matrix: Matrix) -> Matrix:
    return np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])


@frozen(eq=False)
class Rigid:
    """A change of coordinates: ``rotation @ point + translation``."""

    rotation: Matrix = field(factory=lambda: np.eye(3))
    """3 x 3."""
    translation: Matrix = field(factory=lambda: np.zeros(3))
    """3."""

    @classmethod
    def from_pose(cls, pose: EgoPose) -> Self:
        """From ego to world coordinates."""
        place = pose.position
        return cls(rotation_matrix(pose.heading), np.array([place.x, place.y, place.z], np.float64))

    @classmethod
    def from_wxyz(cls, rotation: Sequence[float], translation: Sequence[float]) -> Self:
        """From a quaternion whose first number is w, as in nuScenes."""
        w, x, y, z = rotation
        return cls(rotation_matrix(XYZW(x, y, z, w)), np.array(translation, np.float64))

    def apply(self, points: npt.NDArray[Any]) -> Matrix:
        """Transform points, N x 3."""
        return points @ self.rotation.T + self.translation

    def __matmul__(self, other: Rigid) -> Rigid:
        """Return the transformation that applies *other*, then this one."""
        return Rigid(self.rotation @ other.rotation, self.rotation @ other.translation + self.translation)

    def inverse(self) -> Rigid:
        """Return the transformation back."""
        return Rigid(self.rotation.T, -self.rotation.T @ self.translation)

    def moved(self, by: npt.NDArray[Any]) -> Rigid:
        """Return the same transformation with *by* subtracted from its translation."""
        return Rigid(self.rotation, self.translation - by)

    def pose(self) -> EgoPose:
        """Return it as a pose: from ego to world coordinates."""
        return EgoPose(position=XYZ(*self.translation.tolist()), heading=quaternion(self.rotation))
