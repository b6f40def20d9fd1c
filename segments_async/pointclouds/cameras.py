"""Find the rotation that is missing from the calibration of cameras, by trying all of them."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import TYPE_CHECKING

import anyio
import numpy as np
from attrs import frozen

from segments_async._caller_errors import caller_code
from segments_async._threads import run_sync
from segments_async.errors import InputError
from segments_async.models import XYZW, PointcloudSequenceSampleAttributes
from segments_async.pointclouds.rigid import quaternion, rotation_matrix

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async._client import AsyncSegments
    from segments_async.models import CameraExtrinsics, Dataset, Sample
    from segments_async.models.sample_attributes import SampleAttributes

SUFFIX = "-find-camera-rotation"
_QUARTER = math.pi / 2
_FIRST = [((0, 0, 1), 0), ((0, 0, 1), 1), ((0, 0, 1), 2), ((0, 0, 1), 3), ((0, 1, 0), 1), ((0, 1, 0), 3)]
"""Axis and quarter turns: where the x axis may point to."""
_SECOND = [((1, 0, 0), turns) for turns in range(4)]


@frozen
class CameraRotation:
    """What to do with the rotation of a camera, so that its images fit the point cloud."""

    rotation: XYZW
    """Applied after the camera's own rotation."""
    inverted: bool
    """Whether the camera's own rotation is inverted first: it was given from ego to camera coordinates."""

    def apply(self, own: XYZW) -> XYZW:
        """
        Correct the rotation of a camera.

        Example:
            >>> turned = CameraRotation(XYZW.from_yaw(1.0), inverted=True).apply(XYZW.from_yaw(0.25))
            >>> round(turned.yaw, 9)
            0.75

        Args:
            own: The rotation in `CameraExtrinsics`.

        Returns:
            The rotation of the camera in the world.
        """
        matrix = rotation_matrix(own)
        return quaternion(rotation_matrix(self.rotation) @ (matrix.T if self.inverted else matrix))


def camera_rotations() -> list[CameraRotation]:
    """
    List the 48 ways to mistake the axes of a camera: 24 rotations by quarter turns, each with and without inversion.

    Example:
        >>> len(camera_rotations())
        48

    Returns:
        The candidates, in the order of the official SDK.
    """
    turns = [_turn(*first) @ _turn(*second) for first in _FIRST for second in _SECOND]
    return [CameraRotation(quaternion(turn), inverted) for turn in turns for inverted in (False, True)]


def _turn(axis: tuple[int, int, int], quarters: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    half = quarters * _QUARTER / 2
    x, y, z = (math.sin(half) * part for part in axis)
    return np.rint(rotation_matrix(XYZW(x, y, z, math.cos(half))))


async def ask_on_terminal(clone: Dataset, _candidate: CameraRotation, number: int) -> bool:
    """Ask on the terminal whether the images fit; the default of `find_camera_rotation`."""
    question = f"Do the images in {clone.full_name} fit the point clouds (rotation {number} of 48)? [y/n] "
    while True:
        answer = (await run_sync(input, question, abandon_on_cancel=True)).strip().lower()
        if answer in {"y", "yes", "n", "no"}:
            return answer.startswith("y")


async def find_camera_rotation(
    client: AsyncSegments,
    dataset: str,
    *,
    is_right: Callable[[Dataset, CameraRotation, int], Awaitable[bool]] = ask_on_terminal,
) -> CameraRotation:
    """
    Find the rotation that is missing from the extrinsics of cameras, by showing a clone of the dataset with each.

    Example::

        found = await find_camera_rotation(client, "jane/drives")
        camera.extrinsics.rotation = found.apply(camera.extrinsics.rotation)

    The clone has the name of the dataset plus ``-find-camera-rotation``. It is deleted at the end, also after an error
    or a cancellation.

    Args:
        client: The client.
        dataset: ``"owner/name"`` of a dataset of sequences of point clouds; a few samples are enough.
        is_right: Awaited with the clone, a candidate and its number from 1 to 48: whether the images fit. By default,
            asks on the terminal, while you look at the clone in the browser.

    Returns:
        The candidate that is right.

    Raises:
        InputError: The samples are not sequences of point clouds with calibrated cameras, or no candidate is right.
        AlreadyExistsError: There is a dataset of the clone's name, which you may delete.
    """
    samples = [sample async for sample in client.samples.list(dataset)]
    if not any(_cameras(sample) for sample in samples):
        raise InputError("has no sequences of point clouds with cameras that have extrinsics", path="dataset")
    clone = await client.datasets.clone(dataset, name=f"{dataset.rpartition('/')[2]}{SUFFIX}")
    name = clone.full_name or dataset + SUFFIX
    try:
        uuids = await client.samples.uuids(name)
        for number, candidate in enumerate(camera_rotations(), 1):
            for sample in samples:
                attributes = _rotated(sample, candidate)
                if sample.name in uuids and attributes is not None:
                    await client.samples.update(uuids[sample.name], attributes=attributes)
            with caller_code("is_right"):
                found = await is_right(clone, candidate, number)
            if found:
                return candidate
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(60):
            await client.datasets.delete(name)
    raise InputError("none of the 48 rotations is right", path="is_right")


def _rotated(sample: Sample, candidate: CameraRotation) -> SampleAttributes | None:
    """Return the attributes with another rotation of the cameras; None if there are none."""
    copied = deepcopy(sample)
    cameras = _cameras(copied)
    for extrinsics in cameras:
        extrinsics.rotation = candidate.apply(extrinsics.rotation)
    return copied.attributes if cameras else None


def _cameras(sample: Sample) -> list[CameraExtrinsics]:
    if not isinstance(sample.attributes, PointcloudSequenceSampleAttributes):
        return []
    images = [image for frame in sample.attributes.frames for image in frame.images or ()]
    return [image.extrinsics for image in images if image.extrinsics is not None]
