"""
Write folders in the layouts of KITTI and nuScenes, of a simulated drive.

The vehicle passes a landmark. In the coordinates of each sensor, the landmark is where a correct calibration, pose and
reader have to find it again.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from segments_async import XYZW
from segments_async.pointclouds.rigid import Rigid, quaternion, rotation_matrix

LANDMARK = np.array([30.0, 4.0, 1.5])
"""In world coordinates."""
INTRINSICS = np.array([[700.0, 0, 620], [0, 700, 180], [0, 0, 1]])
AXES = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
"""From OpenCV's camera axes (x right, y down, z ahead) to those of the vehicle (x ahead, y left, z up)."""
START = 1_317_042_145


def turn(x, y, z, w):
    return rotation_matrix(XYZW(x, y, z, w))


def save_points(path, points, columns):
    """Write points as 32-bit floats; the first three columns are the position."""
    rows = np.zeros((len(points), columns), "<f4")
    rows[:, :3] = points
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rows.tobytes())


def save_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3)).save(path)


def text(matrix):
    return " ".join(f"{value:.12e}" for value in np.ravel(matrix))


def projection(rotation, translation):
    """A pinhole camera whose origin is moved, as KITTI's rectified cameras are."""
    return INTRINSICS @ np.column_stack([rotation, translation])


LIDAR_TO_CAMERA = Rigid(AXES.T @ turn(0, 0, 0.02, 1), np.array([-0.01, -0.08, -0.27]))
BASELINE = np.array([0.06, 0, 0.003])
"""From camera 0 to camera 2."""


def kitti_pose(frame):
    """The pose of the lidar: it drives a curve, uphill."""
    return Rigid(turn(0, -0.02 * frame, 0.05 * frame, 1), np.array([5.0 * frame, 0.3 * frame, 0.1 * frame]))


def write_odometry(root, frames=3):
    """``sequences/07`` with two cameras, and ``poses/07.txt`` in the coordinates of the first camera 0."""
    sequence = root / "sequences" / "07"
    poses, times = [], []
    for frame in range(frames):
        save_points(sequence / "velodyne" / f"{frame:06}.bin", kitti_pose(frame).inverse().apply(LANDMARK[None]), 4)
        save_image(sequence / "image_2" / f"{frame:06}.png")
        camera = LIDAR_TO_CAMERA @ kitti_pose(frame) @ LIDAR_TO_CAMERA.inverse()
        poses.append(text(np.column_stack([camera.rotation, camera.translation])))
        times.append(f"{0.1 * frame:.6e}")
    (root / "poses").mkdir()
    (root / "poses" / "07.txt").write_text("\n".join(poses) + "\n")
    (sequence / "times.txt").write_text("\n".join(times) + "\n")
    lines = [f"P{number}: {text(projection(np.eye(3), BASELINE * (number == 2)))}" for number in range(4)]
    lines.append(f"Tr: {text(np.column_stack([LIDAR_TO_CAMERA.rotation, LIDAR_TO_CAMERA.translation]))}")
    (sequence / "calib.txt").write_text("\n".join(lines) + "\n")
    return sequence


IMU_TO_LIDAR = Rigid(turn(0, 0, 0.01, 1), np.array([-0.81, 0.32, -0.8]))
RECTIFYING = turn(0.003, 0.002, 0.004, 1)
LATITUDE, LONGITUDE, ALTITUDE = 49.011, 8.4228, 112.8


def write_raw(day, frames=3, missing=()):
    """A drive on a plane, with yaw, whose GPS is measured by the IMU."""
    drive = day / "2011_09_26_drive_0001_sync"
    scale, radius = math.cos(math.radians(LATITUDE)), 6_378_137.0
    north = scale * radius * math.log(math.tan(math.radians(90 + LATITUDE) / 2))
    start = raw_imu_pose(0) @ IMU_TO_LIDAR.inverse()
    stamps = []
    for frame in range(frames):
        moment = datetime.fromtimestamp(START, UTC).strftime("%Y-%m-%d %H:%M:%S")
        stamps.append(f"{moment}.{frame}51199337")
        if frame in missing:
            continue
        imu = raw_imu_pose(frame)
        lidar = imu @ IMU_TO_LIDAR.inverse()
        points = lidar.inverse().apply((LANDMARK + start.translation)[None])
        save_points(drive / "velodyne_points" / "data" / f"{frame:010}.bin", points, 4)
        save_image(drive / "image_02" / "data" / f"{frame:010}.png")
        latitude = 2 * math.degrees(math.atan(math.exp((north + imu.translation[1]) / scale / radius))) - 90
        longitude = LONGITUDE + math.degrees(imu.translation[0] / scale / radius)
        record = [latitude, longitude, ALTITUDE, 0, 0, raw_yaw(frame), *[0] * 24]
        path = drive / "oxts" / "data" / f"{frame:010}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(f"{value:.14f}" for value in record) + "\n")
    (drive / "velodyne_points" / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    (day / "calib_velo_to_cam.txt").write_text(
        f"calib_time: 15-Mar-2012\nR: {text(LIDAR_TO_CAMERA.rotation)}\nT: {text(LIDAR_TO_CAMERA.translation)}\n"
    )
    (day / "calib_imu_to_velo.txt").write_text(
        f"calib_time: 25-May-2012 16:47:16\nR: {text(IMU_TO_LIDAR.rotation)}\nT: {text(IMU_TO_LIDAR.translation)}\n"
    )
    (day / "calib_cam_to_cam.txt").write_text(
        f"calib_time: 09-Jan-2012 13:57:47\ncorner_dist: 9.950000e-02\nR_rect_00: {text(RECTIFYING)}\n"
        f"P_rect_02: {text(projection(np.eye(3), BASELINE))}\n"
    )
    return drive


def raw_yaw(frame):
    return 0.3 + 0.1 * frame


def raw_imu_pose(frame):
    return Rigid(rotation_matrix(XYZW.from_yaw(raw_yaw(frame))), np.array([6.0 * frame, 1.5 * frame, 0]))


EGO_TO_WORLD = np.array([600.0, 1_600.0, 0])
EGO_LIDAR = Rigid(turn(0, 0, -0.7, 0.7), np.array([0.94, 0, 1.84]))
EGO_CAMERA = Rigid(AXES, np.array([1.7, 0.02, 1.5]))


def nuscenes_ego(frame, late=0.0):
    """The pose of the vehicle; a camera takes its image *late*, when it has moved."""
    moment = frame + late
    return Rigid(rotation_matrix(XYZW.from_yaw(0.1 * moment)), EGO_TO_WORLD + np.array([4 * moment, moment, 0]))


def wxyz(rotation):
    found = quaternion(rotation)
    return [found.qw, found.qx, found.qy, found.qz]


def write_nuscenes(root, frames=3, version="v1.0-mini"):
    """A scene of key frames, with a sweep between each two, of a lidar and a camera."""
    tables = {name: [] for name in ("scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor", "log")}
    for channel, place, matrix in [("LIDAR_TOP", EGO_LIDAR, []), ("CAM_FRONT", EGO_CAMERA, INTRINSICS.tolist())]:
        tables["sensor"].append({"token": f"sensor {channel}", "channel": channel, "modality": ""})
        tables["calibrated_sensor"].append(
            {
                "token": f"calibrated {channel}",
                "sensor_token": f"sensor {channel}",
                "translation": place.translation.tolist(),
                "rotation": wxyz(place.rotation),
                "camera_intrinsic": matrix,
            }
        )
    tables["log"].append({"token": "log", "location": "singapore-onenorth"})
    tables["scene"].append(
        {
            "token": "s",
            "name": "scene-0061",
            "description": "Parked",
            "log_token": "log",
            "first_sample_token": "sample 0",
        }
    )
    for frame in range(frames):
        following = f"sample {frame + 1}" if frame + 1 < frames else ""
        tables["sample"].append({"token": f"sample {frame}", "next": following, "scene_token": "s", "timestamp": 0})
        for channel, end, late in [("LIDAR_TOP", "pcd.bin", 0.0), ("CAM_FRONT", "jpg", 0.25)]:
            _add_data(tables, root, frame, channel, end, late)
    folder = root / version
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=0))
    return folder


def _add_data(tables, root, frame, channel, end, late):
    ego = nuscenes_ego(frame, late)
    token = f"{channel} {frame}"
    for is_key_frame in (True, False):
        tables["ego_pose"].append(
            {
                "token": f"{token} {is_key_frame}",
                "translation": ego.translation.tolist(),
                "rotation": wxyz(ego.rotation),
            }
        )
        tables["sample_data"].append(
            {
                "token": f"{token} {is_key_frame}",
                "sample_token": f"sample {frame}",
                "ego_pose_token": f"{token} {is_key_frame}",
                "calibrated_sensor_token": f"calibrated {channel}",
                "timestamp": 1_532_402_927_647_951 + 500_000 * frame,
                "is_key_frame": is_key_frame,
                "filename": f"{'samples' if is_key_frame else 'sweeps'}/{channel}/n__{frame}.{end}",
            }
        )
    path = root / "samples" / channel / f"n__{frame}.{end}"
    if channel == "LIDAR_TOP":
        lidar = ego @ EGO_LIDAR
        save_points(path, lidar.inverse().apply((LANDMARK + EGO_TO_WORLD)[None]), 5)
    else:
        save_image(path)


def write_tracking(split, frames=3):
    """A sequence of the tracking benchmark, of the drive of `write_raw`."""
    raw = split.parent / "raw"
    drive = write_raw(raw, frames)
    for frame in range(frames):
        for kind, folder, suffix in (("velodyne", "velodyne_points", "bin"), ("image_02", "image_02", "png")):
            target = split / kind / "0004" / f"{frame:06}.{suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            (drive / folder / "data" / f"{frame:010}.{suffix}").rename(target)
    records = [path.read_text().strip() for path in sorted((drive / "oxts" / "data").iterdir())]
    for name, content in (("oxts", "\n".join(records) + "\n"), ("calib", benchmark_calibration("R_rect", "_", ""))):
        (split / name).mkdir()
        (split / name / "0004.txt").write_text(content)
    return split


def benchmark_calibration(rectifying, to, colon):
    """Tracking writes ``Tr_velo_cam`` without a colon, object detection ``Tr_velo_to_cam:``."""
    lines = [f"P2: {text(projection(np.eye(3), BASELINE))}", f"{rectifying}{colon} {text(RECTIFYING)}"]
    for name, transformation in ((f"Tr_velo{to}cam", LIDAR_TO_CAMERA), (f"Tr_imu{to}velo", IMU_TO_LIDAR)):
        matrix = np.column_stack([transformation.rotation, transformation.translation])
        lines.append(f"{name}{colon} {text(matrix)}")
    return "\n".join(lines) + "\n\n"


def write_object(split, frames=2):
    """Frames of the object benchmark."""
    for frame in range(frames):
        save_points(split / "velodyne" / f"{frame:06}.bin", kitti_pose(frame).inverse().apply(LANDMARK[None]), 4)
        save_image(split / "image_2" / f"{frame:06}.png")
        (split / "calib").mkdir(exist_ok=True)
        (split / "calib" / f"{frame:06}.txt").write_text(benchmark_calibration("R0_rect", "_to_", ":"))
    return split
