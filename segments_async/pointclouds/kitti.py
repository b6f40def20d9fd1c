"""
Read the folders of KITTI: raw drives, and the benchmarks of odometry, tracking and object detection.

Source: the development kits at cvlibs.net/datasets/kitti, and Geiger et al., "Vision meets Robotics" (2013).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from segments_async._counting import counted
from segments_async.errors import DecodeError, InputError
from segments_async.models import XYZ, XYZW, CameraExtrinsics, CameraIntrinsics, PCDType
from segments_async.pointclouds.rigid import Rigid, quaternion, rotation_about_z, rotation_matrix
from segments_async.pointclouds.scenes import Scene, SceneCamera, SceneFrame, folder_of, read_text

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from segments_async.pointclouds.rigid import Matrix

CAMERAS = ("image_02", "image_03")
"""The colour cameras, left and right; 00 and 01 are grey."""
_EARTH_RADIUS = 6_378_137.0
_NANOSECONDS = 1_000_000_000
_SPLITS = ("training", "testing")
_RECTIFYING = ("R_rect", "R0_rect")
_TO_CAMERA = ("Tr_velo_cam", "Tr_velo_to_cam")
_TO_LIDAR = ("Tr_imu_velo", "Tr_imu_to_velo")
"""Lines of a calibration, as tracking and object detection name them."""
Lines = dict[str, "Matrix"]
Cameras = list[tuple["Path", "Matrix", Rigid]]
"""The folder, the intrinsics and the pose of each camera."""


def kitti_scenes(folder: str | os.PathLike[str], *, cameras: Sequence[str] = CAMERAS) -> Iterator[Scene]:
    """
    Read the drives of KITTI, with poses and calibrated images.

    These layouts are known: a day of raw data that is synchronised and rectified (``2011_09_26``, with ``calib_*.txt``,
    and ``2011_09_26_drive_0001_sync`` in it); the odometry benchmark (``sequences/00`` with ``velodyne``, ``calib.txt``
    and ``times.txt``, and ``poses/00.txt``); the tracking benchmark (``velodyne/0000``, ``image_02/0000``,
    ``calib/0000.txt`` and ``oxts/0000.txt``); and the object benchmark (``velodyne/000000.bin``, ``image_2`` and
    ``calib``), whose frames are single, so that each is a scene of one frame.

    Example::

        scenes = kitti_scenes("dataset", cameras=["image_2"])
        report = await client.samples.upload_files("jane/drives", (scene.upload() for scene in scenes))

    Args:
        folder: The folder of a day, or the one that contains ``sequences``, ``velodyne`` or ``training``.
        cameras: Folders of images, as the layout names them; ``image_02`` and ``image_2`` are the same. One that a
            drive does not have is left out.

    Returns:
        The drives, read one by one. Frames without a point cloud are left out, as some raw drives have. Poses of raw
        drives and of tracking come from GPS and IMU, with z up and the first frame as the origin; those of odometry
        from ``poses``, relative to the first point cloud. Tracking and object detection have no times.

    Raises:
        InputError: There is no such folder, or it has none of these layouts.
        DecodeError: A file is missing or damaged, such as the poses of the test sequences of odometry.
    """
    path = folder_of(folder)
    names = [f"image_{_camera_number(name)}" for name in cameras]
    if (path / "sequences").is_dir():
        for sequence in sorted(found for found in (path / "sequences").iterdir() if (found / "velodyne").is_dir()):
            yield _odometry(path, sequence, names)
        return
    if splits := [found for found in (path, *(path / name for name in _SPLITS)) if (found / "velodyne").is_dir()]:
        for split in splits:
            yield from _benchmark(split, names)
        return
    drives = sorted(found for found in path.iterdir() if (found / "velodyne_points").is_dir())
    if not drives:
        raise InputError(f"{path} has neither drives with velodyne_points, nor sequences, nor velodyne", path="folder")
    for drive in drives:
        yield _raw(path, drive, names)


def _camera_number(name: str) -> int:
    number = name.removeprefix("image_") if isinstance(name, str) else ""
    if not number.isdigit():
        raise InputError(f"expected names such as 'image_02', got {name!r}", path="cameras")
    return int(number)


def _odometry(root: Path, sequence: Path, names: list[str]) -> Scene:
    calibration = _read_lines(sequence / "calib.txt")
    to_camera = _rigid(calibration, "Tr", sequence / "calib.txt")
    poses = _numbers(root / "poses" / f"{sequence.name}.txt", 12)
    times = _numbers(sequence / "times.txt", 1)
    cameras = [
        (sequence / name, *_camera(calibration, f"P{name[6:]}", to_camera, sequence / "calib.txt"))
        for name in names
        if (sequence / name).is_dir() and f"P{name[6:]}" in calibration
    ]
    frames = []
    for cloud, index in _clouds(sequence / "velodyne", min(len(poses), len(times))):
        camera = Rigid(poses[index].reshape(3, 4)[:, :3], poses[index].reshape(3, 4)[:, 3])
        pose = to_camera.inverse() @ camera @ to_camera
        frames.append(_frame(cloud, pose, round(times[index][0] * _NANOSECONDS), cameras))
    return Scene(f"kitti-odometry-{sequence.name}", frames, {"sequence": sequence.name})


def _benchmark(split: Path, names: list[str]) -> Iterator[Scene]:
    """Read a folder of the tracking or the object benchmark."""
    prefix = f"{split.name}-" if split.name in _SPLITS else ""
    found = sorted((split / "velodyne").iterdir())
    if not any(one.is_dir() or one.suffix == ".bin" for one in found):
        raise InputError(f"{split / 'velodyne'} has no point clouds", path="folder")
    for one in found:
        if one.is_dir():
            yield Scene(f"kitti-tracking-{prefix}{one.name}", _tracked(split, one, names), {"sequence": one.name})
        elif one.suffix == ".bin":
            calibration = split / "calib" / f"{one.stem}.txt"
            lines = _read_lines(calibration)
            cameras = _benchmark_cameras(split, lines, _to_camera(lines, calibration), names, calibration)
            frame = _frame(one, Rigid(np.eye(3)), None, cameras)
            yield Scene(f"kitti-object-{prefix}{one.stem}", [frame], {"frame": one.stem})


def _tracked(split: Path, clouds: Path, names: list[str]) -> list[SceneFrame]:
    calibration = split / "calib" / f"{clouds.name}.txt"
    lines = _read_lines(calibration)
    to_imu = _rigid(lines, _TO_LIDAR, calibration).inverse()
    found = _benchmark_cameras(split, lines, _to_camera(lines, calibration), names, calibration)
    cameras = [(folder / clouds.name, matrix, pose) for folder, matrix, pose in found]
    records = _numbers(split / "oxts" / f"{clouds.name}.txt", 30)
    scale = math.cos(math.radians(records[0][0]))
    frames: list[SceneFrame] = []
    origin = np.zeros(3)
    for cloud, index in _clouds(clouds, len(records)):
        pose = _gps_pose(records[index], scale) @ to_imu
        origin = origin if frames else pose.translation
        frames.append(_frame(cloud, pose.moved(origin), None, cameras))
    return frames


def _to_camera(lines: Lines, path: Path) -> Rigid:
    return Rigid(_matrix(lines, _RECTIFYING, (3, 3), path)) @ _rigid(lines, _TO_CAMERA, path)


def _benchmark_cameras(split: Path, lines: Lines, to_camera: Rigid, names: list[str], path: Path) -> Cameras:
    """Find the cameras: tracking names the folder ``image_02``, object detection ``image_2``."""
    return [
        (folder, *_camera(lines, f"P{number}", to_camera, path))
        for number in map(_camera_number, names)
        for folder in (split / f"image_{number:02}", split / f"image_{number}")
        if folder.is_dir() and f"P{number}" in lines
    ]


def _raw(day: Path, drive: Path, names: list[str]) -> Scene:
    projections = _read_lines(day / "calib_cam_to_cam.txt")
    from_lidar, from_imu = _read_lines(day / "calib_velo_to_cam.txt"), _read_lines(day / "calib_imu_to_velo.txt")
    rectifying = _matrix(projections, "R_rect_00", (3, 3), day / "calib_cam_to_cam.txt")
    to_camera = Rigid(rectifying) @ _raw_rigid(from_lidar, day / "calib_velo_to_cam.txt")
    to_imu = _raw_rigid(from_imu, day / "calib_imu_to_velo.txt").inverse()
    cameras = [
        (
            drive / f"image_{number:02}" / "data",
            *_camera(projections, f"P_rect_{number:02}", to_camera, day / "calib_cam_to_cam.txt"),
        )
        for number in map(_camera_number, names)
        if (drive / f"image_{number:02}" / "data").is_dir() and f"P_rect_{number:02}" in projections
    ]
    times = _timestamps(drive / "velodyne_points" / "timestamps.txt")
    frames: list[SceneFrame] = []
    scale, origin = 0.0, np.zeros(3)
    for cloud, index in _clouds(drive / "velodyne_points" / "data", len(times)):
        record = _numbers(drive / "oxts" / "data" / f"{cloud.stem}.txt", 30)[0]
        scale = scale or math.cos(math.radians(record[0]))
        pose = _gps_pose(record, scale) @ to_imu
        origin = origin if frames else pose.translation
        frames.append(_frame(cloud, pose.moved(origin), times[index], cameras))
    return Scene(drive.name, frames, {"day": day.name})


def _clouds(folder: Path, count: int) -> Iterator[tuple[Path, int]]:
    """Find the point clouds, with their indices; frames may be missing."""
    for path in sorted(folder.glob("*.bin")):
        if not path.stem.isdigit():
            raise DecodeError("expected a number as name", path=str(path))
        if int(path.stem) >= count:
            raise DecodeError(f"is frame {int(path.stem)}, but only {count} have a pose and a time", path=str(path))
        yield path, int(path.stem)


def _frame(cloud: Path, pose: Rigid, time: int | None, cameras: Cameras) -> SceneFrame:
    images = []
    for folder, projection, extrinsics in cameras:
        found = next(
            (path for path in (folder / f"{cloud.stem}{end}" for end in (".png", ".jpg")) if path.exists()), None
        )
        if found is not None:
            name = folder.name if folder.name.startswith("image_") else folder.parent.name
            images.append(scene_camera(found, name, projection, extrinsics))
    return SceneFrame(cloud, PCDType.KITTI, pose.pose(), time, tuple(images))


def scene_camera(path: Path, name: str, intrinsics: Matrix, extrinsics: Rigid) -> SceneCamera:
    """Return a camera from its matrix, and the transformation from its coordinates to those of the point cloud."""
    return SceneCamera(
        path,
        name,
        CameraIntrinsics(intrinsic_matrix=intrinsics.tolist()),
        CameraExtrinsics(translation=XYZ(*extrinsics.translation.tolist()), rotation=quaternion(extrinsics.rotation)),
    )


def _camera(lines: Lines, name: str, to_camera: Rigid, path: Path) -> tuple[Matrix, Rigid]:
    """Split a projection from camera 0 into intrinsics, and the pose of this camera in the point cloud."""
    matrix = _matrix(lines, name, (3, 4), path)
    try:
        offset = np.linalg.solve(matrix[:, :3], matrix[:, 3])
    except np.linalg.LinAlgError as error:
        raise DecodeError(f"has no projection in the line {name!r}", path=str(path)) from error
    return matrix[:, :3], Rigid(to_camera.rotation, to_camera.translation + offset).inverse()


def _gps_pose(record: Matrix, scale: float) -> Rigid:
    """Return the pose of the IMU, by the Mercator projection of the development kit."""
    latitude, longitude, altitude, roll, pitch, yaw = record[:6]
    east = scale * _EARTH_RADIUS * math.radians(longitude)
    north = scale * _EARTH_RADIUS * math.log(math.tan(math.radians(90 + latitude) / 2))
    return Rigid(rotation_about_z(yaw) @ _about("y", pitch) @ _about("x", roll), np.array([east, north, altitude]))


def _about(axis: str, angle: float) -> Matrix:
    half = {"x": 0.0, "y": 0.0, axis: math.sin(angle / 2)}
    return rotation_matrix(XYZW(half["x"], half["y"], 0.0, math.cos(angle / 2)))


def _read_lines(path: Path) -> Lines:
    """Read lines such as ``P2: 7.2e+02 0 ...``, also without a colon; those of dates and other words are left out."""
    found: Lines = {}
    for line in read_text(path).splitlines():
        name, *values = line.split() or [""]
        try:
            found[name.rstrip(":")] = np.array([float(value) for value in values])
        except ValueError:
            continue
    return found


def _matrix(lines: Lines, names: str | tuple[str, ...], shape: tuple[int, int], path: Path) -> Matrix:
    """Return the matrix of a line, which may have one of several *names*."""
    known = (names,) if isinstance(names, str) else names
    name = next((name for name in known if name in lines), known[0])
    if name not in lines or lines[name].size != shape[0] * shape[1]:
        raise DecodeError(f"has no line {name!r} of {counted(shape[0] * shape[1], 'number')}", path=str(path))
    return lines[name].reshape(shape)


def _rigid(lines: Lines, names: str | tuple[str, ...], path: Path) -> Rigid:
    matrix = _matrix(lines, names, (3, 4), path)
    return Rigid(matrix[:, :3], matrix[:, 3])


def _raw_rigid(lines: Lines, path: Path) -> Rigid:
    return Rigid(_matrix(lines, "R", (3, 3), path), _matrix(lines, "T", (3, 1), path)[:, 0])


def _numbers(path: Path, count: int) -> Matrix:
    """Read lines of *count* numbers."""
    rows: list[list[float]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            row = [float(value) for value in line.split()]
        except ValueError:
            row = []
        if line.strip() and len(row) != count:
            raise DecodeError(f"line {number}: expected {counted(count, 'number')}", path=str(path))
        rows += [row] if row else []
    if not rows:
        raise DecodeError(f"has no line of {counted(count, 'number')}", path=str(path))
    return np.array(rows)


def _timestamps(path: Path) -> list[int]:
    """Read times such as ``2011-09-26 13:02:25.951199337``, as nanoseconds since 1970."""
    times = []
    for number, line in enumerate(filter(None, map(str.strip, read_text(path).splitlines())), 1):
        seconds, _, fraction = line.partition(".")
        try:
            moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
            times.append(int(moment.timestamp()) * _NANOSECONDS + int(f"{fraction:0<9}"[:9]))
        except ValueError:
            raise DecodeError(f"line {number}: expected a time, got {line[:40]!r}", path=str(path)) from None
    return times
