"""
Point clouds (extra ``pointcloud``: numpy, laspy, lazrs, plyfile and python-neo-lzf).

Example::

    from segments_async.pointclouds import las_to_pcd

    written = las_to_pcd("scan.laz", origin="auto")
    asset = await client.assets.upload(written.path)

See ``docs/pointclouds.md``. Functions that are not ``async`` block; in async code, call them with
``anyio.to_thread.run_sync``.
"""

from segments_async.pointclouds import _extra  # isort: skip # noqa: F401 (first, as it checks that the extra is installed)
from segments_async.pointclouds.arrays import PcdFile, array_to_pcd
from segments_async.pointclouds.cameras import CameraRotation, camera_rotations, find_camera_rotation
from segments_async.pointclouds.clouds import PointCloud
from segments_async.pointclouds.cuboids import cuboid_to_segmentation
from segments_async.pointclouds.kinematics import add_kinematics_to_label
from segments_async.pointclouds.kitti import kitti_scenes
from segments_async.pointclouds.las import las_to_pcd
from segments_async.pointclouds.load import load_pointcloud_from_url
from segments_async.pointclouds.nuscenes import nuscenes_scenes
from segments_async.pointclouds.ply import ply_to_pcd
from segments_async.pointclouds.reading import read_pointcloud
from segments_async.pointclouds.sample import sample_pcd
from segments_async.pointclouds.scenes import Scene, SceneCamera, SceneFrame

__all__ = [
    "CameraRotation",
    "PcdFile",
    "PointCloud",
    "Scene",
    "SceneCamera",
    "SceneFrame",
    "add_kinematics_to_label",
    "array_to_pcd",
    "camera_rotations",
    "cuboid_to_segmentation",
    "find_camera_rotation",
    "kitti_scenes",
    "las_to_pcd",
    "load_pointcloud_from_url",
    "nuscenes_scenes",
    "ply_to_pcd",
    "read_pointcloud",
    "sample_pcd",
]
