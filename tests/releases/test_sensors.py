"""The sensors of a sample and those of its label are joined by name."""

from __future__ import annotations

import logging

import pytest

from segments_async import structure
from segments_async._releases.images import views_of
from segments_async.models import Label, ReleaseSample, Sample, transform_to_ego

CUBOID = {
    "id": 1,
    "category_id": 1,
    "type": "cuboid",
    "position": {"x": 12, "y": 1, "z": 0},
    "dimensions": {"x": 1, "y": 1, "z": 1},
    "yaw": 0,
    "track_id": 1,
}
POSE = {"position": {"x": 10, "y": 0, "z": 0}, "heading": {"qx": 0, "qy": 0, "qz": 0, "qw": 1}}


def box(number):
    return {"id": number, "category_id": 1, "type": "bbox", "points": [[0, 0], [1, 1]], "track_id": number}


SENSORS = {
    "lidar": (
        "pointcloud-cuboid-sequence",
        {"frames": [{"pcd": {"url": "https://example.com/a.pcd", "type": "pcd"}, "ego_pose": POSE}]},
        {"frames": [{"annotations": [CUBOID]}]},
    ),
    "front": (
        "image-vector-sequence",
        {"frames": [{"image": {"url": "https://example.com/front"}}]},
        {"frames": [{"annotations": [box(2)]}]},
    ),
    "rear": (
        "image-vector-sequence",
        {"frames": [{"image": {"url": "https://example.com/rear"}}]},
        {"frames": [{"annotations": [box(3)]}]},
    ),
}


def sample_of(*names, kind=ReleaseSample):
    sensors = [{"name": name, "task_type": SENSORS[name][0], "attributes": SENSORS[name][1]} for name in names]
    return structure({"uuid": "u", "name": "n", "attributes": {"sensors": sensors}}, kind)


def label_of(*names, named=True):
    sensors = [
        {"name": name if named else "", "task_type": SENSORS[name][0], "attributes": SENSORS[name][2]} for name in names
    ]
    return structure({"label_type": "multisensor-sequence", "attributes": {"sensors": sensors}}, Label)


def ids_by_sensor(sample, label):
    views = views_of(sample.attributes, label.attributes, sample="n")
    return {view.sensor: [annotation.id for annotation in view.annotations] for view in views}


@pytest.mark.parametrize("order", [("lidar", "front", "rear"), ("rear", "lidar", "front"), ("front", "rear", "lidar")])
def test_any_order(order, caplog):
    """The front camera gets its own boxes, never the cuboids; another order than the sample's is logged."""
    sample, label = sample_of("lidar", "front", "rear"), label_of(*order)

    with caplog.at_level(logging.WARNING, "segments_async"):
        assert ids_by_sensor(sample, label) == {"front": [2], "rear": [3]}
    assert [(name, annotation.id) for name, _, annotation in label.annotations(sample)] == [
        ("lidar", 1), ("front", 2), ("rear", 3),
    ]  # fmt: skip
    moved = transform_to_ego(label, sample_of("lidar", "front", "rear", kind=Sample))
    assert [a.position.x for _, _, a in moved.annotations() if hasattr(a, "position")] == [2]
    messages = {record.getMessage() for record in caplog.records}
    assert any("another order" in message for message in messages) == (order != ("lidar", "front", "rear"))


def test_labels_without_names(caplog):
    """They are joined by position, as there is nothing else."""
    sample, label = sample_of("lidar", "front", "rear"), label_of("lidar", "front", "rear", named=False)

    assert ids_by_sensor(sample, label) == {"front": [2], "rear": [3]}
    assert [name for name, _, _ in label.annotations(sample)] == ["lidar", "front", "rear"]
    assert [name for name, _, _ in label.annotations()] == ["", "", ""]
    assert not caplog.records


def test_a_sensor_that_the_sample_does_not_have(caplog):
    """Its annotations are given to no other sensor, and that is logged."""
    sample, label = sample_of("lidar", "front"), label_of("lidar", "rear")

    assert ids_by_sensor(sample, label) == {"front": []}
    assert "has sensors ['rear'], which the sample does not have" in caplog.text


def test_a_sensor_without_a_label(caplog):
    assert ids_by_sensor(sample_of("front", "rear"), label_of("rear")) == {"front": [], "rear": [3]}
