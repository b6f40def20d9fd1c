"""What is written by hand most often is short to write, and becomes what the service takes."""

from math import pi

import pytest

from segments_async import models as m
from segments_async._serialization.converter import check, unstructure
from segments_async.errors import InputError

POSES = [m.EgoPose(position=m.XYZ(step, 0, 0), heading=m.XYZW.from_yaw(0)) for step in range(2)]


@pytest.mark.parametrize(("corner", "opposite"), [
    ((1, 2), (3, 4.5)),
    ((3, 4.5), (1, 2)),
    ([1, 4.5], [3, 2]),
    ((3, 2), (1, 4.5)),
])  # fmt: skip
def test_a_box_from_any_two_corners(corner, opposite):
    box = m.ImageVectorAnnotation.bbox(corner, opposite, id=1, category_id=2)
    assert unstructure(box) == {"id": 1, "category_id": 2, "type": "bbox", "points": [[1, 2], [3, 4.5]]}


def test_in_sequences_the_same_constructors_take_a_track():
    box = m.ImageSequenceVectorAnnotation.bbox((1, 2), (3, 4), id=1, category_id=2, track_id=5, attributes={"a": 1})
    assert (type(box), box.track_id, box.attributes) == (m.ImageSequenceVectorAnnotation, 5, {"a": 1})
    cuboid = m.PointcloudSequenceCuboidAnnotation.from_yaw((0, 0, 0), (4, 2, 1), id=1, category_id=2, track_id=5)
    assert type(cuboid) is m.PointcloudSequenceCuboidAnnotation
    lane = m.PointcloudSequenceVectorAnnotation.draw("polyline", [(0, 0, 0)], id=1, category_id=2, track_id=5)
    assert unstructure(lane)["track_id"] == 5


def test_a_track_that_was_forgotten_is_named_before_anything_is_sent():
    lane = m.PointcloudSequenceVectorAnnotation.draw("polyline", [(0, 0, 0)], id=1, category_id=2)
    frames = [m.PointcloudSequenceVectorFrame(annotations=[lane])]
    put = m.LabelPut("u", m.PointcloudSequenceVectorLabelAttributes(frames=frames))
    with pytest.raises(InputError, match=r"^attributes\.frames\[0\]\.annotations\[0\]\.track_id: missing$"):
        check(put, m.LabelPut)


def test_shapes():
    polygon = m.ImageVectorAnnotation.draw("polygon", iter([(0, 0), (9, 0), (9, 5)]), id=1, category_id=2)
    assert (polygon.type, polygon.points) == ("polygon", [[0, 0], [9, 0], [9, 5]])
    point = m.PointcloudVectorAnnotation.draw("point", [(1, 2, 3)], id=1, category_id=2)
    assert (point.type, point.points) == ("point", [[1, 2, 3]])


def test_an_upright_cuboid():
    car = m.PointcloudCuboidAnnotation.from_yaw((10, 2, 0.8), (4.5, 1.8, 1.6), 0.5, id=1, category_id=1)
    assert unstructure(car) == {
        "id": 1,
        "category_id": 1,
        "type": "cuboid",
        "position": {"x": 10, "y": 2, "z": 0.8},
        "dimensions": {"x": 4.5, "y": 1.8, "z": 1.6},
        "yaw": 0.5,
    }


@pytest.mark.parametrize("yaw", [-pi, -2, -pi / 2, 0, 0.5, pi / 2, 3])
def test_a_rotation_and_its_yaw(yaw):
    assert m.XYZW.from_yaw(yaw).yaw == pytest.approx(yaw)


def test_samples_from_addresses():
    assert unstructure(m.ImageSequenceSampleAttributes.from_urls(["0.png", "1.png"], timestamps=[0, 100])) == {
        "frames": [{"image": {"url": "0.png"}, "timestamp": 0}, {"image": {"url": "1.png"}, "timestamp": 100}]
    }
    assert unstructure(m.PointcloudSampleAttributes.from_url("0.bin", "kitti", timestamp="7")) == {
        "pcd": {"url": "0.bin", "type": "kitti"},
        "timestamp": "7",
    }
    clouds = m.PointcloudSequenceSampleAttributes.from_urls(["0.pcd", "1.pcd"], ego_poses=POSES)
    assert [frame.ego_pose for frame in clouds.frames] == POSES
    assert [frame.pcd for frame in clouds.frames] == [m.PCD(url="0.pcd", type="pcd"), m.PCD(url="1.pcd", type="pcd")]


@pytest.mark.parametrize(("call", "message"), [
    (
        lambda: m.ImageSequenceSampleAttributes.from_urls(["0.png"], timestamps=[1, 2]),
        "timestamps: expected one value per url, got 2",
    ),
    (
        lambda: m.PointcloudSequenceSampleAttributes.from_urls(["0.pcd"], ego_poses=POSES),
        "ego_poses: expected one value per url, got 2",
    ),
    (lambda: m.ImageSequenceSampleAttributes.from_urls("0.png"), "urls: expected a list of URLs, got a single string"),
])  # fmt: skip
def test_what_does_not_match_is_refused(call, message):
    with pytest.raises(InputError, match=f"^{message}"):
        call()


def test_tags_are_filled_in():
    assert m.SelectTaskAttribute(name="color", values=["red"]).input_type == "select"
    coefficients = m.FisheyeDistortionCoefficients(k1=0, k2=0, k3=0, k4=0)
    assert unstructure(m.DistortionFisheye(coefficients=coefficients))["model"] == "fisheye"
    assert unstructure(m.IntersectingCuboidsRule()) == {"name": "intersecting-cuboids"}
