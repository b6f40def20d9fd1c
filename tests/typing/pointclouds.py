"""What a strict type checker sees of point clouds; only checkers read this file, nothing runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import numpy as np

from segments_async import AsyncSegments, FileSample, SampleCreate
from segments_async.pointclouds import (
    CameraRotation,
    PcdFile,
    PointCloud,
    Scene,
    array_to_pcd,
    find_camera_rotation,
    kitti_scenes,
    las_to_pcd,
    load_pointcloud_from_url,
    read_pointcloud,
)


def files() -> None:
    """Files are written and read."""
    assert_type(array_to_pcd(np.zeros((2, 3)), "a.pcd", rgb=[[1, 2, 3]] * 2, origin=(1, 2, 3)), PcdFile)
    assert_type(las_to_pcd(Path("a.laz"), color="both", origin="auto").origin, tuple[float, float, float])
    assert_type(read_pointcloud(b"", "kitti"), PointCloud)


def drives() -> None:
    """Scenes become items of bulk calls."""
    scenes = kitti_scenes("drive")
    assert_type(scenes, Iterator[Scene])
    scene = next(scenes)
    assert_type(scene.upload(), FileSample)
    assert_type(scene.sample(lambda path: f"s3://bucket/{path.name}"), SampleCreate)


async def calls(client: AsyncSegments) -> None:
    """Calls are async."""
    assert_type(await load_pointcloud_from_url(client, "https://example.com/a.pcd"), PointCloud)
    assert_type(await find_camera_rotation(client, "jane/drives"), CameraRotation)
