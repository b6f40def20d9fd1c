"""Folders of KITTI and nuScenes become samples in which everything is in its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from drive_folders import (
    AXES,
    BASELINE,
    EGO_CAMERA,
    EGO_LIDAR,
    EGO_TO_WORLD,
    INTRINSICS,
    LANDMARK,
    LIDAR_TO_CAMERA,
    RECTIFYING,
    START,
    nuscenes_ego,
    raw_imu_pose,
    write_nuscenes,
    write_object,
    write_odometry,
    write_raw,
    write_tracking,
)

from segments_async import DecodeError, InputError, PointcloudSequenceSampleAttributes
from segments_async.pointclouds import kitti_scenes, nuscenes_scenes, read_pointcloud
from segments_async.pointclouds.rigid import Rigid, rotation_matrix

CENTIMETRE = 0.01


def landmarks(scene):
    """Where each frame sees the landmark, in the coordinates of the scene."""
    places = []
    for frame in scene.frames:
        points = read_pointcloud(frame.path, frame.type).positions
        places.append(Rigid.from_pose(frame.pose).apply(points.astype(np.float64))[0])
    return np.array(places)


def pixels(frame):
    """Where the landmark is in the image of the first camera, by its calibration alone."""
    [point] = read_pointcloud(frame.path, frame.type).positions.astype(np.float64)
    camera = frame.cameras[0]
    place = camera.extrinsics.translation
    own = rotation_matrix(camera.extrinsics.rotation).T @ (point - [place.x, place.y, place.z])
    x, y, depth = np.array(camera.intrinsics.intrinsic_matrix) @ own
    assert depth > 0, "OpenCV's cameras look along +z"
    return [x / depth, y / depth]


def projected(point):
    x, y, depth = INTRINSICS @ point
    return [x / depth, y / depth]


class TestKittiOdometry:
    def test_everything_is_in_its_place(self, tmp_path):
        write_odometry(tmp_path)
        [scene] = kitti_scenes(tmp_path)
        assert (scene.name, len(scene.frames), scene.metadata) == ("kitti-odometry-07", 3, {"sequence": "07"})
        np.testing.assert_allclose(landmarks(scene), [LANDMARK] * 3, atol=1e-4)
        assert [frame.timestamp for frame in scene.frames] == [0, 100_000_000, 200_000_000]
        for frame in scene.frames:
            [point] = read_pointcloud(frame.path, "kitti").positions.astype(np.float64)
            assert pixels(frame) == pytest.approx(projected(LIDAR_TO_CAMERA.apply(point) + BASELINE))
            assert [camera.name for camera in frame.cameras] == ["image_2"]

    def test_without_poses(self, tmp_path):
        write_odometry(tmp_path)
        (tmp_path / "poses" / "07.txt").unlink()
        with pytest.raises(DecodeError, match=r"poses.07.txt: is missing"):
            list(kitti_scenes(tmp_path))

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("sequences/07/calib.txt", "P2: 1 2 3\n", "calib.txt: has no line 'Tr' of 12 numbers"),
            ("poses/07.txt", "1 0 0 0 0 1 0 0 0 0 1 0\n1 2\n", "07.txt: line 2: expected 12 numbers"),
            ("poses/07.txt", "1 0 0 0 0 1 0 0 0 0 1 0\n", "000001.bin: is frame 1, but only 1 have a pose and a time"),
            ("poses/07.txt", "", "07.txt: has no line of 12 numbers"),
            ("sequences/07/times.txt", "0\nnever\n2\n", "times.txt: line 2: expected 1 number"),
        ],
    )
    def test_damaged(self, tmp_path, name, content, message):
        write_odometry(tmp_path)
        (tmp_path / name).write_text(content)
        with pytest.raises(DecodeError, match=message):
            list(kitti_scenes(tmp_path))

    def test_damaged_projections(self, tmp_path):
        calibration = write_odometry(tmp_path) / "calib.txt"
        content = calibration.read_text()
        for wrong, message in [
            ("P2: 1 2", "no line 'P2' of 12 numbers"),
            (f"P2: {'0 ' * 12}", "no projection in the line"),
        ]:
            calibration.write_text(f"{content}{wrong}\n")
            with pytest.raises(DecodeError, match=message):
                list(kitti_scenes(tmp_path))


class TestKittiBenchmarks:
    def test_tracking(self, tmp_path):
        """Everything is in its place; there are no times."""
        write_tracking(tmp_path / "training")
        for folder, name in ((tmp_path, "training-0004"), (tmp_path / "training", "training-0004")):
            [scene] = kitti_scenes(folder)
            assert (scene.name, scene.metadata) == (f"kitti-tracking-{name}", {"sequence": "0004"})
        np.testing.assert_allclose(landmarks(scene), [LANDMARK] * 3, atol=CENTIMETRE)
        assert scene.frames[0].pose.position.x == 0
        for frame in scene.frames:
            [point] = read_pointcloud(frame.path, "kitti").positions.astype(np.float64)
            assert pixels(frame) == pytest.approx(projected(RECTIFYING @ LIDAR_TO_CAMERA.apply(point) + BASELINE))
            assert ([camera.name for camera in frame.cameras], frame.timestamp) == (["image_02"], None)

    def test_object(self, tmp_path):
        """Each frame is a scene of its own."""
        write_object(tmp_path / "training")
        write_object(tmp_path / "testing", 1)
        scenes = list(kitti_scenes(tmp_path, cameras=["image_2"]))
        assert [scene.name.removeprefix("kitti-object-") for scene in scenes] == [
            "training-000000",
            "training-000001",
            "testing-000000",
        ]
        for scene in scenes:
            [frame] = scene.frames
            [point] = read_pointcloud(frame.path, "kitti").positions.astype(np.float64)
            assert pixels(frame) == pytest.approx(projected(RECTIFYING @ LIDAR_TO_CAMERA.apply(point) + BASELINE))
            assert frame.pose.position.x == frame.pose.heading.yaw == 0
            assert scene.sample(str).attributes.frames[0].images[0].name == "image_2"

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("calib/0004.txt", "P2: 1\n", "calib.0004.txt: has no line 'Tr_imu_velo' of 12 numbers"),
            ("oxts/0004.txt", "1 2\n", "oxts.0004.txt: line 1: expected 30 numbers"),
            ("oxts/0004.txt", " ".join("0" * 30), "000001.bin: is frame 1, but only 1 have a pose and a time"),
        ],
    )
    def test_damaged(self, tmp_path, name, content, message):
        split = write_tracking(tmp_path / "training")
        (split / name).write_text(content)
        with pytest.raises(DecodeError, match=message):
            list(kitti_scenes(split))

    def test_missing(self, tmp_path):
        split = write_object(tmp_path / "object")
        (split / "calib" / "000001.txt").unlink()
        with pytest.raises(DecodeError, match=r"calib.000001.txt: is missing"):
            list(kitti_scenes(split))
        shutil.rmtree(split / "velodyne")
        (split / "velodyne").mkdir()
        with pytest.raises(InputError, match="has no point clouds"):
            list(kitti_scenes(split))


class TestKittiRaw:
    def test_everything_is_in_its_place(self, tmp_path):
        """Drive 0009 of the original data lacks point clouds, too."""
        write_raw(tmp_path, frames=4, missing=[1])
        [scene] = kitti_scenes(tmp_path, cameras=["image_02", "image_03"])
        assert (scene.name, [frame.path.stem[-1] for frame in scene.frames]) == (
            "2011_09_26_drive_0001_sync",
            list("023"),
        )
        np.testing.assert_allclose(landmarks(scene), [LANDMARK] * 3, atol=CENTIMETRE)
        assert scene.frames[0].pose.position.z == scene.frames[0].pose.position.x == 0
        assert scene.frames[1].timestamp == START * 1_000_000_000 + 251_199_337
        for frame in scene.frames:
            [point] = read_pointcloud(frame.path, "kitti").positions.astype(np.float64)
            assert pixels(frame) == pytest.approx(projected(RECTIFYING @ LIDAR_TO_CAMERA.apply(point) + BASELINE))
            assert [camera.name for camera in frame.cameras] == ["image_02"]

    def test_the_heading_is_that_of_the_lidar(self, tmp_path):
        write_raw(tmp_path)
        [scene] = kitti_scenes(tmp_path)
        turned = [frame.pose.heading.yaw for frame in scene.frames]
        assert np.diff(turned) == pytest.approx([0.1, 0.1])
        moved = raw_imu_pose(1).translation - raw_imu_pose(0).translation
        assert scene.frames[1].pose.position.x == pytest.approx(moved[0], abs=0.2)

    def test_damaged(self, tmp_path):
        drive = write_raw(tmp_path)
        stamps = drive / "velodyne_points" / "timestamps.txt"
        stamps.write_text("yesterday\n")
        with pytest.raises(DecodeError, match=r"timestamps.txt: line 1: expected a time, got 'yesterday'"):
            list(kitti_scenes(tmp_path))
        (tmp_path / "calib_velo_to_cam.txt").write_bytes(b"\xff\xfe")
        with pytest.raises(DecodeError, match=r"calib_velo_to_cam.txt: is not a text"):
            list(kitti_scenes(tmp_path))

    def test_other_folders(self, tmp_path):
        with pytest.raises(InputError, match="folder: there is no folder"):
            list(kitti_scenes(tmp_path / "missing"))
        with pytest.raises(InputError, match="has neither drives with velodyne_points, nor sequences"):
            list(kitti_scenes(tmp_path))
        with pytest.raises(InputError, match="cameras: expected names such as 'image_02', got 'left'"):
            list(kitti_scenes(tmp_path, cameras=["left"]))


class TestNuscenes:
    def test_everything_is_in_its_place(self, tmp_path):
        """Also in the images, which were taken when the vehicle had moved on."""
        write_nuscenes(tmp_path)
        [scene] = nuscenes_scenes(tmp_path, cameras=["CAM_FRONT"])
        assert (scene.name, len(scene.frames)) == ("scene-0061", 3)
        origin = (nuscenes_ego(0) @ EGO_LIDAR).translation
        assert scene.metadata["location"] == "singapore-onenorth"
        np.testing.assert_allclose(scene.metadata["origin"], origin)
        np.testing.assert_allclose(landmarks(scene) + origin, [LANDMARK + EGO_TO_WORLD] * 3, atol=1e-4)
        assert [frame.timestamp for frame in scene.frames][:2] == [1_532_402_927_647_951_000, 1_532_402_928_147_951_000]
        for number, frame in enumerate(scene.frames):
            camera = nuscenes_ego(number, late=0.25) @ EGO_CAMERA
            assert pixels(frame) == pytest.approx(projected(camera.inverse().apply(LANDMARK + EGO_TO_WORLD)), abs=0.01)
        assert {path.parts[-3] for path in scene.files} == {"samples"}, "sweeps are left out"
        assert AXES[0, 2] == 1

    def test_samples_in_a_circle(self, tmp_path):
        path = write_nuscenes(tmp_path) / "sample.json"
        path.write_text(path.read_text().replace('"next": ""', '"next": "sample 1"'))
        with pytest.raises(DecodeError, match="the samples of scene-0061 follow each other in a circle"):
            list(nuscenes_scenes(tmp_path, cameras=[]))

    def test_choices(self, tmp_path):
        write_nuscenes(tmp_path)
        chosen = nuscenes_scenes(tmp_path, "v1.0-mini", scenes=["scene-0061"], cameras=[])
        assert [[len(frame.cameras) for frame in scene.frames] for scene in chosen] == [[0, 0, 0]]
        for options, message in [
            ({"version": "v1.0-test"}, "version: there are no tables in 'v1.0-test'; expected one of .'v1.0-mini'."),
            ({"scenes": ["scene-1"]}, "scenes: there is no scene 'scene-1'"),
            ({}, "cameras: there is no sensor 'CAM_FRONT_LEFT'; expected one of"),
        ]:
            with pytest.raises(InputError, match=message):
                list(nuscenes_scenes(tmp_path, **{"cameras": [], **options} if options else {}))
        shutil.copytree(tmp_path / "v1.0-mini", tmp_path / "v1.0-test")
        with pytest.raises(
            InputError, match=r"version: expected one of the folders with tables: .'v1.0-mini', 'v1.0-test'."
        ):
            list(nuscenes_scenes(tmp_path, cameras=[]))

    @pytest.mark.parametrize(
        "table", ["scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor", "log"]
    )
    def test_damaged_tables(self, tmp_path, table):
        """Missing, cut, without a key, or something else."""
        path = write_nuscenes(tmp_path) / f"{table}.json"
        whole = path.read_text()
        lacking = json.dumps([{"other": 1}])
        for content in (None, whole[:-20], whole[: len(whole) // 2], "<html>", "[1]", lacking):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_text(content)
            expected = InputError if table == "sample_data" and content is None else DecodeError
            with pytest.raises(expected, match="version" if expected is InputError else r"v1.0-mini"):
                list(nuscenes_scenes(tmp_path, cameras=["CAM_FRONT"]))


@pytest.mark.anyio
async def test_upload(client, tmp_path):
    """The files arrive, and the sample that is created is the scene."""
    write_odometry(tmp_path)
    await client.datasets.create("drives", task_type="pointcloud-cuboid-sequence")
    [scene] = kitti_scenes(tmp_path)
    report = await client.samples.upload_files("sandbox/drives", (part.upload() for part in scene.split(2)))

    report.raise_if_failed()
    first, second = await client.samples.list("sandbox/drives")
    assert (first.name, second.name) == ("kitti-odometry-07-000", "kitti-odometry-07-001")
    assert isinstance(first.attributes, PointcloudSequenceSampleAttributes)
    assert (len(first.attributes.frames), len(second.attributes.frames)) == (2, 1)
    frame = second.attributes.frames[0]
    assert (frame.pcd.type, frame.timestamp, frame.ego_pose) == ("kitti", 200_000_000, scene.frames[2].pose)
    assert await client.assets.read(frame.pcd.url) == scene.frames[2].path.read_bytes()
    [image] = frame.images
    assert await client.assets.read(image.url) == scene.frames[2].cameras[0].path.read_bytes()
    assert (image.camera_convention, image.extrinsics) == ("OpenCV", scene.frames[2].cameras[0].extrinsics)
    assert first.metadata == {"sequence": "07"}


@pytest.mark.anyio
async def test_create(client, tmp_path):
    """Of files in a bucket."""
    write_nuscenes(tmp_path)
    await client.datasets.create("drives", task_type="pointcloud-cuboid-sequence")
    scenes = nuscenes_scenes(tmp_path, cameras=["CAM_FRONT"])
    items = [scene.sample(lambda path: f"s3://bucket/{path.relative_to(tmp_path).as_posix()}") for scene in scenes]
    report = await client.samples.create_many("sandbox/drives", items)

    report.raise_if_failed()
    [sample] = await client.samples.list("sandbox/drives")
    frame = sample.attributes.frames[1]
    assert (frame.pcd.url, frame.pcd.type) == ("s3://bucket/samples/LIDAR_TOP/n__1.pcd.bin", "nuscenes")
    assert frame.images[0].url == "s3://bucket/samples/CAM_FRONT/n__1.jpg"


def test_missing_files_and_wrong_parts(tmp_path):
    write_nuscenes(tmp_path)
    [scene] = nuscenes_scenes(tmp_path, cameras=["CAM_FRONT"])
    scene.files[3].unlink()
    with pytest.raises(InputError, match=r"scene-0061: there is no file .*n__1.jpg"):
        scene.upload()
    for wrong in (0, True, 1.5):
        with pytest.raises(InputError, match="frames: expected a whole number of at least 1"):
            scene.split(wrong)
    assert repr(scene).startswith("Scene(name='scene-0061', frames=<3 frames>")
    assert Path(scene.frames[0].files[0]).exists()
