"""Find the points in cuboids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from segments_async.errors import InputError
from segments_async.models import PointcloudCuboidAnnotation
from segments_async.pointclouds.rigid import Rigid, rotation_about_z, rotation_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from segments_async.models import EgoPose

_MAX_ID = 2**32 - 1
_DIMENSIONS = 2


class Labelled(Protocol):
    """The label of a point cloud, or of a frame, such as `PointcloudCuboidLabelAttributes`."""

    @property
    def annotations(self) -> Sequence[Any]:
        """The cuboids; other annotations are ignored."""


def cuboid_to_segmentation(
    pointcloud: npt.ArrayLike, label_attributes: Labelled, ego_pose: EgoPose | None = None
) -> npt.NDArray[np.uint32]:
    """
    Find the cuboid that each point is in.

    Example::

        label = await client.labels.get(sample)
        ids = cuboid_to_segmentation(cloud.positions, label.attributes, sample.attributes.ego_pose)

    Args:
        pointcloud: N x 3: the positions, in ego coordinates, as in the file; N may be 0.
        label_attributes: The label of the point cloud, or of a frame of a sequence, in world coordinates.
        ego_pose: The pose of the point cloud; without one, its coordinates are those of the world.

    Returns:
        The id of the annotation of each of N points, 0 outside all cuboids. Where cuboids overlap, the later one
        counts. Points on the surface are inside; points with NaN are outside.

    Raises:
        InputError: The positions have another shape, an id is negative or beyond 32 bits, or a rotation is all zeros.
    """
    points = np.asarray(pointcloud, np.float64)
    if points.ndim != _DIMENSIONS or points.shape[1] != 3:  # noqa: PLR2004
        raise InputError(f"expected shape (N, 3), got {points.shape}", path="pointcloud")
    world = points if ego_pose is None else Rigid.from_pose(ego_pose).apply(points)
    ids = np.zeros(len(points), np.uint32)
    for index, annotation in enumerate(label_attributes.annotations):
        if isinstance(annotation, PointcloudCuboidAnnotation):
            if not 0 <= annotation.id <= _MAX_ID:
                raise InputError(f"expected 0 to {_MAX_ID}, got {annotation.id}", path=f"annotations[{index}].id")
            ids[_inside(world, annotation)] = annotation.id
    return ids


def _inside(world: npt.NDArray[np.float64], cuboid: PointcloudCuboidAnnotation) -> npt.NDArray[np.int64]:
    """Return the indices of the points in a cuboid."""
    centre = np.array([cuboid.position.x, cuboid.position.y, cuboid.position.z])
    half = np.array([cuboid.dimensions.x, cuboid.dimensions.y, cuboid.dimensions.z]) / 2
    rotation = rotation_about_z(cuboid.yaw) if cuboid.rotation is None else rotation_matrix(cuboid.rotation)
    # Most points are far away: along x alone, they can be left out fast.
    [near] = np.nonzero(np.abs(world[:, 0] - centre[0]) <= np.linalg.norm(half))
    own = (world[near] - centre) @ rotation  # the transposed rotation, applied to rows
    return near[np.all(np.abs(own) <= half, axis=1)]
