"""World to ego coordinates: what the official SDK computes, on every kind of point cloud label."""

import logging
from copy import deepcopy
from math import pi

import pytest
from payloads_of_every_kind import CLOUD, CLOUDS, LABELS, SAMPLE_OF, SAMPLES
from pydantic import TypeAdapter
from segments.resource_api import Label as TheirLabel, Sample as TheirSample
from segments.utils import transform_label_to_ego_coordinates

from segments_async import models as m
from segments_async._serialization.converter import structure, unstructure
from segments_async.errors import InputError

STAMPS = {"created_at": "2020-04-10T20:09:31Z", "created_by": "jane", "updated_at": "2020-04-10T20:09:31Z"}
IN_SPACE = [tag for tag in LABELS if tag.startswith(("pointcloud", "multi"))]


def label_of(tag, **changes):
    fixed = {"sample_uuid": "u", "label_status": "LABELED", "labelset": "ground-truth", **STAMPS}
    return {**fixed, "label_type": tag, "attributes": LABELS[tag], **changes}


def sample_of(attributes):
    return {"uuid": "u", "name": "n", "metadata": {}, "priority": 0, "attributes": attributes, **STAMPS}


def numbers(value):
    """All numbers in JSON, by where they are."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {(key, *way): number for key, item in items for way, number in numbers(item).items()}
    return {(): value} if isinstance(value, int | float) else {}


@pytest.mark.parametrize("tag", IN_SPACE)
def test_as_the_official_sdk(tag):
    label, sample = label_of(tag), sample_of(SAMPLES[SAMPLE_OF[tag]])
    theirs = transform_label_to_ego_coordinates(
        TypeAdapter(TheirSample).validate_python(sample), TypeAdapter(TheirLabel).validate_python(label)
    )
    before = structure(label, m.Label)
    ours = m.transform_to_ego(before, structure(sample, m.Sample))
    expected = numbers(theirs.model_dump(mode="json", exclude_unset=True)["attributes"])
    got = {way: number for way, number in numbers(unstructure(ours)["attributes"]).items() if way in expected}
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert before == structure(label, m.Label)
    assert (ours == before) is (tag in ("pointcloud-segmentation", "pointcloud-segmentation-sequence"))


def test_only_coordinates_change():
    """Ids, attributes and unknown keys stay, and the argument is not changed."""
    wire = label_of("pointcloud-cuboid-sequence")
    wire["attributes"] = deepcopy(wire["attributes"])
    cuboid = wire["attributes"]["frames"][0]["annotations"][0]
    cuboid["rotation"]["odd"] = cuboid["position"]["odd"] = cuboid["odd"] = 1
    moved = unstructure(m.transform_to_ego(structure(wire, m.Label), structure(sample_of(CLOUDS), m.Sample)))
    after = moved["attributes"]["frames"][0]["annotations"][0]
    assert after["position"] != cuboid["position"]
    changed = ("position", "rotation", "yaw")
    assert {key: value for key, value in after.items() if key not in changed} == {
        key: value for key, value in cuboid.items() if key not in changed
    }
    assert after["rotation"]["odd"] == after["position"]["odd"] == 1


def test_a_quarter_turn():
    """A car ahead of an ego that faces +y is on +x in ego coordinates."""
    pose = m.EgoPose(position=m.XYZ(10, 0, 0), heading=m.XYZW.from_yaw(pi / 2))
    cloud = m.PointcloudSampleAttributes.from_url("0.pcd", ego_pose=pose)
    car = m.PointcloudCuboidAnnotation.from_yaw((10, 5, 1), (4, 2, 1), pi / 2, id=1, category_id=1)
    label = m.Label(attributes=m.PointcloudCuboidLabelAttributes(annotations=[car]))
    (moved,) = m.transform_to_ego(label, m.Sample(uuid="u", name="n", attributes=cloud)).attributes.annotations
    assert (moved.position.x, moved.position.y, moved.position.z) == pytest.approx((5, 0, 1))
    assert moved.yaw == pytest.approx(0)


@pytest.mark.parametrize("frames", [[{**CLOUD, "ego_pose": None}], [CLOUD]])
def test_frames_without_a_pose_stay_and_that_is_logged(frames, caplog):
    label = structure(label_of("pointcloud-cuboid-sequence"), m.Label)
    poses = sum(frame["ego_pose"] is not None for frame in frames)
    with caplog.at_level(logging.WARNING, "segments_async"):
        moved = m.transform_to_ego(label, structure(sample_of({"frames": frames}), m.Sample))
    assert moved.attributes.frames[1] == label.attributes.frames[1]
    assert (moved.attributes.frames[0] == label.attributes.frames[0]) is (poses == 0)
    assert caplog.messages == [f"{2 - poses} frames of sample u have no ego pose and stay in world coordinates"]


@pytest.mark.parametrize("attributes", [None, {}, []])
def test_an_unlabelled_label_stays(attributes):
    label = m.Label(attributes=attributes)
    for kind in ("point clouds", "sensors"):
        assert m.transform_to_ego(label, structure(sample_of(SAMPLES[kind]), m.Sample)) == label


@pytest.mark.parametrize(
    ("label", "sample", "message"),
    [
        (m.Label(sample_uuid="v"), sample_of(CLOUD), "^sample: the label belongs to sample v, not to u$"),
        (m.Label(), sample_of(SAMPLES["image"]), "^sample: expected a point cloud"),
        (m.Label(), sample_of(None), "^sample: expected a point cloud"),
    ],
)
def test_a_sample_of_another_kind_is_refused(label, sample, message):
    with pytest.raises(InputError, match=message):
        m.transform_to_ego(label, structure(sample, m.Sample))


def test_a_rotation_of_zeros_is_refused():
    nowhere = {"position": {"x": 0, "y": 0, "z": 0}, "heading": {"qx": 0, "qy": 0, "qz": 0, "qw": 0}}
    with pytest.raises(InputError, match="cannot be all zeros"):
        m.transform_to_ego(
            structure(label_of("pointcloud-cuboid"), m.Label),
            structure(sample_of({**CLOUD, "ego_pose": nowhere}), m.Sample),
        )
