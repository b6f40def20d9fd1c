"""Cuboids, rotations and the kinematics of cuboids, beside the official SDK."""

from __future__ import annotations

import json
import math
from copy import deepcopy

import numpy as np
import pytest
import segments.typing as official
from hypothesis import given, strategies as st
from record_official_sdk import CUBOIDS, RECORD, TRANSLATION, points
from segments import utils

from segments_async import (
    XYZ,
    XYZW,
    EgoPose,
    InputError,
    Label,
    MultiSensorLabelAttributes,
    MultiSensorSampleAttributes,
    PointcloudCuboidAnnotation,
    PointcloudCuboidLabelAttributes,
    PointcloudSampleAttributes,
    PointcloudSequenceCuboidAnnotation,
    PointcloudSequenceCuboidFrame,
    PointcloudSequenceCuboidLabelAttributes,
    PointcloudSequenceSampleAttributes,
    PointcloudVectorAnnotation,
    PointcloudVectorLabelAttributes,
    Sample,
    SampleSensor,
    structure,
    unstructure,
)
from segments_async.pointclouds import add_kinematics_to_label, camera_rotations, cuboid_to_segmentation
from segments_async.pointclouds.rigid import Rigid, quaternion, rotation_matrix

OFFICIAL = json.loads(RECORD.read_text(encoding="utf-8"))
NUMBERS = st.floats(-1, 1)
TURNS = st.builds(XYZW, NUMBERS, NUMBERS, NUMBERS, NUMBERS).filter(
    lambda turn: turn.qx**2 + turn.qy**2 + turn.qz**2 + turn.qw**2 > 0.01
)


def label_of(cuboids):
    made = [
        PointcloudCuboidAnnotation.from_yaw(one["position"], one["dimensions"], one["yaw"], id=one["id"], category_id=1)
        for one in cuboids
    ]
    return PointcloudCuboidLabelAttributes(annotations=made)


def cuboid(position=(0, 0, 0), dimensions=(2, 2, 2), yaw=0.0, id=1):
    return label_of([{"position": position, "dimensions": dimensions, "yaw": yaw, "id": id}])


class TestCuboids:
    def test_like_the_official_sdk(self):
        assert len(set(OFFICIAL["cuboids"]["world"])) == 5, "there are points in all cuboids, and in none"
        assert cuboid_to_segmentation(points(), label_of(CUBOIDS)).tolist() == OFFICIAL["cuboids"]["world"]

    def test_with_an_ego_position(self):
        """If the ego vehicle is not turned; otherwise the official SDK turns cuboids about their own centres."""
        pose = EgoPose(position=XYZ(*TRANSLATION), heading=XYZW(0, 0, 0, 1))
        found = cuboid_to_segmentation(points(), label_of(CUBOIDS), pose).tolist()
        assert found == OFFICIAL["cuboids"]["translated"]

    def test_a_turned_ego_vehicle(self):
        """The official SDK says [1, 0]: it looks 90 degrees to the left, so that what is east is to its right."""
        pose = EgoPose(position=XYZ(0, 0, 0), heading=XYZW.from_yaw(math.pi / 2))
        assert cuboid_to_segmentation([[10, 0, 0], [0, -10, 0]], cuboid((10, 0, 0)), pose).tolist() == [0, 1]

    def test_a_turned_cuboid(self):
        """The official SDK says [1, 0]: it passes the numbers of a quaternion in another order than Open3D's."""
        label = cuboid(dimensions=(4, 1, 1), yaw=0.3)
        label.annotations[0].rotation = XYZW.from_yaw(math.pi / 2)
        assert cuboid_to_segmentation([[1.5, 0, 0], [0, 1.5, 0]], label).tolist() == [0, 1]

    @given(turn=TURNS, place=st.tuples(*[st.floats(-100, 100)] * 3))
    def test_any_pose(self, turn, place):
        """Points and cuboids that move together stay together."""
        ego = Rigid(rotation_matrix(turn), np.array(place))
        label = label_of(CUBOIDS)
        for one in label.annotations:
            own = Rigid(
                rotation_matrix(XYZW.from_yaw(one.yaw)), np.array([one.position.x, one.position.y, one.position.z])
            )
            moved = ego @ own
            one.position, one.rotation = XYZ(*moved.translation.tolist()), quaternion(moved.rotation)
        away = np.min([border_distance(label_one) for label_one in CUBOIDS], axis=0) > 1e-6
        found = cuboid_to_segmentation(points(), label, ego.pose())
        np.testing.assert_array_equal(found[away], np.array(OFFICIAL["cuboids"]["world"])[away])

    def test_borders_order_and_what_is_no_point(self):
        label = PointcloudCuboidLabelAttributes(
            annotations=cuboid().annotations + cuboid(dimensions=(1, 1, 1), id=2**32 - 1).annotations
        )
        places = [[1, 1, -1], [1.0001, 0, 0], [0.5, 0, 0], [math.nan, 0, 0], [math.inf, 0, 0], [0, math.nan, 0]]
        assert cuboid_to_segmentation(places, label).tolist() == [1, 0, 2**32 - 1, 0, 0, 0]

    def test_nothing(self):
        assert cuboid_to_segmentation(np.empty((0, 3)), cuboid()).shape == (0,)
        assert cuboid_to_segmentation([[0, 0, 0]], label_of([])).tolist() == [0]
        line = PointcloudVectorAnnotation.draw("polyline", [(0, 0, 0), (1, 1, 1)], id=3, category_id=1)
        assert cuboid_to_segmentation([[0, 0, 0]], PointcloudVectorLabelAttributes(annotations=[line])).tolist() == [0]

    def test_refused(self):
        with pytest.raises(InputError, match=r"pointcloud: expected shape \(N, 3\), got \(1, 4\)"):
            cuboid_to_segmentation([[1, 2, 3, 4]], cuboid())
        with pytest.raises(InputError, match=r"annotations\[0\].id: expected 0 to 4294967295, got -1"):
            cuboid_to_segmentation([[1, 2, 3]], cuboid(id=-1))
        pose = EgoPose(position=XYZ(0, 0, 0), heading=XYZW(0, 0, 0, 0))
        with pytest.raises(InputError, match="rotation: expected a rotation that is finite and not all zeros"):
            cuboid_to_segmentation([[1, 2, 3]], cuboid(), pose)


def border_distance(one):
    """How far the points are from the surfaces of a cuboid."""
    own = (points() - one["position"]) @ rotation_matrix(XYZW.from_yaw(one["yaw"]))
    return np.abs(np.abs(own) - np.array(one["dimensions"]) / 2).min(axis=1)


class TestRotations:
    @given(turn=TURNS)
    def test_matrices_and_quaternions(self, turn):
        matrix = rotation_matrix(turn)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(rotation_matrix(quaternion(matrix)), matrix, atol=1e-12)
        assert quaternion(matrix).qw >= 0

    def test_half_turns(self):
        """Where one formula would divide by zero."""
        for axis in np.eye(3):
            turn = XYZW(*axis, 0.0)
            assert quaternion(rotation_matrix(turn)) == turn

    def test_candidates_like_the_official_sdk(self):
        """The same rotations in the same order; q and -q are the same rotation."""
        ours = [candidate.apply(XYZW(0, 0, 0, 1)) for candidate in camera_rotations()]
        assert len(OFFICIAL["rotations"]) == len(ours) == 48
        for turn, theirs in zip(ours, OFFICIAL["rotations"], strict=True):
            mine = np.array([turn.qx, turn.qy, turn.qz, turn.qw])
            assert abs(mine @ theirs) == pytest.approx(1, abs=1e-12)
        distinct = {tuple(np.rint(rotation_matrix(turn)).astype(int).ravel()) for turn in ours}
        assert len(distinct) == 24


def sample_of(count, *, poses=True, timestamps=True):
    """A sample whose ego vehicle speeds up, with a frame every half a second."""
    frames = [
        PointcloudSampleAttributes.from_url(
            f"https://example.com/{index}.pcd",
            ego_pose=EgoPose(position=XYZ(index**2, 2 * index, 0), heading=XYZW.from_yaw(0.1 * index))
            if poses
            else None,
            timestamp=str(1_532_402_927_647_951_000 + 500_000_000 * index) if timestamps else None,
        )
        for index in range(count)
    ]
    return Sample(uuid="u-1", name="drive", attributes=PointcloudSequenceSampleAttributes(frames=frames))


def label_with(tracks, sample, *, timestamps=True):
    """A label from the positions of objects by track and frame; None where an object is not there."""
    frames = []
    for index, frame in enumerate(sample.attributes.frames):
        annotations = [
            PointcloudSequenceCuboidAnnotation.from_yaw(
                places[index], (4, 2, 1), id=track, category_id=1, track_id=track
            )
            for track, places in tracks.items()
            if places[index] is not None
        ]
        stamp = frame.timestamp if timestamps else None
        frames.append(PointcloudSequenceCuboidFrame(annotations=annotations, timestamp=stamp))
    return Label(sample_uuid="u-1", attributes=PointcloudSequenceCuboidLabelAttributes(frames=frames))


def by_the_official_sdk(label, sample, **options):
    theirs = utils.add_kinematics_to_label(
        official.Sample.model_construct(
            uuid="u-1", attributes=official.PointcloudSequenceSampleAttributes(**unstructure(sample.attributes))
        ),
        official.Label.model_construct(
            sample_uuid="u-1",
            attributes=official.PointcloudSequenceCuboidLabelAttributes(
                format_version="0.2", **unstructure(label.attributes)
            ),
        ),
        **options,
    )
    return values_of(
        structure(json.loads(theirs.attributes.model_dump_json()), PointcloudSequenceCuboidLabelAttributes)
    )


def values_of(attributes):
    """Velocities and accelerations, by frame and track; None becomes NaN."""
    found = {}
    for index, frame in enumerate(attributes.frames):
        for one in frame.annotations:
            pairs = [one.velocity, one.acceleration]
            found[index, one.track_id] = [
                math.nan if pair is None or number is None else number
                for pair in pairs
                for number in ((pair.relative, pair.absolute) if pair else (None, None))
            ]
    return found


def equal(first, second):
    assert first.keys() == second.keys()
    for place, numbers in first.items():
        assert numbers == pytest.approx(second[place], nan_ok=True, rel=1e-6, abs=1e-6), place


COORDINATES = st.floats(-100, 100).map(lambda value: round(value, 2))


class TestKinematics:
    @given(
        places=st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES), min_size=1, max_size=6),
        poses=st.booleans(),
        timestamps=st.booleans(),
    )
    def test_like_the_official_sdk(self, places, poses, timestamps):
        """For objects that are in every frame."""
        sample = sample_of(len(places), poses=poses, timestamps=timestamps)
        label = label_with({1: places, 2: places[::-1]}, sample)
        options = {} if timestamps else {"fps": 2.0}
        before = deepcopy(label)

        ours = add_kinematics_to_label(label, sample, **options)

        equal(values_of(ours.attributes), by_the_official_sdk(label, sample, **options))
        assert label == before

    def test_by_hand(self):
        """An object that enters later, and is missing in between; the official SDK takes the first frames' poses."""
        sample = sample_of(5)
        label = label_with({7: [None, (0, 0, 0), None, (6, 0, 0), (6, 3, 0)]}, sample)
        found = values_of(add_kinematics_to_label(label, sample).attributes)
        assert found[1, 7] == pytest.approx([math.nan] * 4, nan_ok=True)
        # From frame 1 to 3, a second: the object moves by 6, the ego vehicle from (1, 2) to (9, 6).
        assert found[3, 7] == pytest.approx([math.hypot(6 - 8, 4), 6, math.nan, math.nan], nan_ok=True)
        # From frame 3 to 4, half a second: velocities (0, 6) and (14, 4), so accelerations (-12, 12) and (12, 0).
        assert found[4, 7] == pytest.approx([math.hypot(14, 2), 6, math.hypot(-12 - 12, 12 - 0), math.hypot(12, 12)])
        assert by_the_official_sdk(label, sample)[3, 7] != pytest.approx(found[3, 7], nan_ok=True)

    def test_frames_between_count(self):
        """Without timestamps, two frames apart is twice the time; the official SDK counts the frames of the object."""
        sample = sample_of(4, timestamps=False)
        label = label_with({1: [(0, 0, 0), None, None, (6, 0, 0)]}, sample)
        assert values_of(add_kinematics_to_label(label, sample, fps=1).attributes)[3, 1][1] == pytest.approx(2)
        assert by_the_official_sdk(label, sample, fps=1)[3, 1][1] == pytest.approx(6)

    def test_timestamps_of_the_sample(self):
        """Where the label has none; and in another unit."""
        sample = sample_of(2)
        label = label_with({1: [(0, 0, 0), (1, 0, 0)]}, sample, timestamps=False)
        assert values_of(add_kinematics_to_label(label, sample).attributes)[1, 1][1] == 2
        assert values_of(add_kinematics_to_label(label, sample, timestamp_unit=1e6).attributes)[1, 1][1] == 0.002

    def test_several_sensors(self):
        sample, lidar = sample_of(2), "pointcloud-cuboid-sequence"
        label = label_with({1: [(0, 0, 0), (1, 0, 0)]}, sample)
        sensors = [SampleSensor(name=name, task_type=lidar, attributes=sample.attributes) for name in ("front", "rear")]
        joined = {
            "sensors": [
                {"name": name, "task_type": lidar, "attributes": unstructure(label.attributes)}
                for name in ("rear", "front")
            ]
        }
        label.attributes = structure(joined, MultiSensorLabelAttributes)
        sample.attributes = MultiSensorSampleAttributes(sensors=sensors)
        for sensor in add_kinematics_to_label(label, sample).attributes.sensors:
            assert sensor.attributes.frames[1].annotations[0].velocity.absolute == 2

    def test_refused(self):
        sample = sample_of(3, timestamps=False)
        label = label_with({1: [(0, 0, 0)] * 3}, sample)
        with pytest.raises(InputError, match=r"label.attributes.frames\[0\].timestamp: has no timestamp; pass fps"):
            add_kinematics_to_label(label, sample)
        label.attributes.frames[1].timestamp, label.attributes.frames[0].timestamp = 5, "7"
        with pytest.raises(
            InputError, match=r"frames\[1\].timestamp: timestamps must increase: -2e-09 seconds after frame 0"
        ):
            add_kinematics_to_label(label, sample)
        for arguments, message in [
            ((label, Sample(uuid="u-2", name="")), "sample: the label belongs to sample u-1, not to u-2"),
            ((Label(), sample), "label: expected the label of a sequence of point clouds with cuboids, and its sample"),
            ((sample, label), "label: expected a Label, got Sample"),
        ]:
            with pytest.raises(InputError, match=message):
                add_kinematics_to_label(*arguments)
        for options in ({"fps": 0}, {"fps": math.nan}, {"timestamp_unit": "s"}):
            with pytest.raises(InputError, match="expected a number above 0"):
                add_kinematics_to_label(label, sample, **options)
