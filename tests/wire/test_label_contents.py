"""Which JSON is a label that can be sent, and where one does not fit; with a dataset, also its settings."""

import pytest

from segments_async import (
    Dataset,
    ImageSequenceSegmentationLabelAttributes,
    ImageVectorLabelAttributes,
    InputError,
    Label,
    PointcloudVectorLabelAttributes,
)
from segments_async._serialization.converter import structure
from segments_async._wire.contents import check_label, check_label_content, is_of_unknown_type
from segments_async._wire.dataset_rules import DatasetRules

BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
SPACE = {"x": 1, "y": 1, "z": 1}
CUBOID = {"id": 1, "category_id": 1, "type": "cuboid", "position": SPACE, "dimensions": SPACE, "yaw": 0}
BLOB = {"type": "blob", "radius": 3}
FLAT = {"id": 1, "category_id": 1, "points": [[1, 2, 3]]}
PLAIN = {"id": 1, "category_id": 1}
BITMAP = {"url": "https://x.test/a.png"}


def annotated(*annotations, **more):
    return {"annotations": list(annotations), **more}


def sensor(attributes, task_type="vector"):
    return {"sensors": [{"name": "a", "task_type": task_type, "attributes": attributes}]}


NO_PART = "attributes: expected an object with 'annotations', 'frames' or 'sensors'"
NO_TYPE = "missing; only annotations of a segmentation ('segmentation_bitmap', 'point_annotations') have none"
MISFITS = [
    ({"format_version": "0.1"}, NO_PART),
    ({"boxes": []}, NO_PART),
    ([BOX], "attributes: expected an object, got list"),
    ({"annotations": None}, "attributes.annotations: expected a list, got null"),
    (annotated(3), "attributes.annotations[0]: expected an object, got int"),
    (annotated({"id": "x"}), f"attributes.annotations[0].type: {NO_TYPE}"),
    (annotated(BOX, PLAIN), f"attributes.annotations[1].type: {NO_TYPE}"),
    (annotated({**PLAIN, "points": [[1, 2]]}), f"attributes.annotations[0].type: {NO_TYPE}"),
    (annotated({**BOX, "type": None}), "attributes.annotations[0].type: expected a string, got null"),
    (annotated({**BOX, "id": "1"}), "attributes.annotations[0].id: expected an integer, got str"),
    (annotated({**BOX, "id": "1"}, BLOB), "attributes.annotations[0].id: expected an integer, got str"),
    (annotated({"type": "cuboid", **PLAIN}), "attributes.annotations[0].position: missing"),
    (
        annotated(BOX, CUBOID),
        "attributes.annotations[1].type: no type of label has 'cuboid' beside the annotations before it",
    ),
    ({"segmentation_bitmap": BITMAP}, "attributes.annotations: missing"),
    ({"frames": 3}, "attributes.frames: expected a list, got int"),
    ({"frames": [3]}, "attributes.frames[0]: expected an object, got int"),
    ({"frames": [{}]}, "attributes.frames[0].annotations: missing"),
    ({"frames": [annotated(BOX)]}, "attributes.frames[0].annotations[0].track_id: missing"),
    ({"frames": [annotated(PLAIN)]}, f"attributes.frames[0].annotations[0].type: {NO_TYPE}"),
    ({"sensors": {}}, "attributes.sensors: expected a list, got dict"),
    (sensor(annotated({"id": 1})), "attributes.sensors[0].attributes.annotations[0].category_id: missing"),
    (sensor({"frames": []}), "attributes.sensors[0].attributes.annotations: missing"),
]
FIT = [
    {},
    [],
    annotated(),
    annotated(BOX),
    annotated(CUBOID),
    annotated(PLAIN, segmentation_bitmap=BITMAP),
    annotated(PLAIN, point_annotations=[1, 0]),
    annotated(BLOB),
    annotated(BOX, BLOB),
    {"frames": []},
    {"frames": [annotated({**PLAIN, "track_id": 1}), annotated(segmentation_bitmap=BITMAP)]},
    sensor([]),
    sensor({}),
    sensor({"x": 1}, "hologram"),
    sensor(annotated(), "segmentation-bitmap"),
    annotated({"start": 0, "end": 5, "category_id": 1}, format_version="0.1"),
    annotated({**FLAT, "type": "polygon"}, {**FLAT, "type": "polyline", "points": []}),
    {"frames": [annotated({**PLAIN, "track_id": 1}, segmentation_bitmap=None)]},
    {"image_attributes": {"weather": "rain"}},
    ImageVectorLabelAttributes(annotations=[]),
]


@pytest.mark.parametrize(("attributes", "problem"), MISFITS)
def test_json_that_is_no_label_is_refused(attributes, problem):
    for check in (check_label, check_label_content):
        with pytest.raises(InputError) as caught:
            check({"sample_uuid": "u", "attributes": attributes})
        assert str(caught.value) == problem


@pytest.mark.parametrize("attributes", FIT)
def test_labels_and_unknown_types_of_annotations_are_sent(attributes):
    check_label({"sample_uuid": "u", "attributes": attributes})
    check_label_content({"attributes": attributes})
    check_label_content({"score": 1})


@pytest.mark.parametrize(
    ("model", "attributes"),
    [
        (
            ImageSequenceSegmentationLabelAttributes,
            {"frames": [annotated({**PLAIN, "track_id": 1}), annotated({**PLAIN, "track_id": 1})]},
        ),
        (
            PointcloudVectorLabelAttributes,
            annotated({**FLAT, "type": "polygon"}, {**FLAT, "type": "polyline", "points": []}),
        ),
    ],
)
def test_a_model_is_not_judged_by_its_keys(model, attributes):
    check_label({"sample_uuid": "u", "attributes": structure(attributes, model)})


@pytest.mark.parametrize(
    ("label", "is_unknown"),
    [
        ({"label_type": "vector", "attributes": {}}, True),
        ({"label_type": "hologram", "attributes": {"a": 1}}, True),
        ({"label_type": "vector", "attributes": {"a": 1}}, False),
        ({"attributes": {"a": 1}}, False),
    ],
)
def test_what_the_service_returned_unlike_any_can_be_put_back(label, is_unknown):
    assert is_of_unknown_type(structure(label, Label)) is is_unknown


def rules(task_type):
    kind = {"name": "kind", "input_type": "select", "values": ["car", "van"]}
    extras = {"name": "extras", "input_type": "multiselect", "values": ["roof", "hook"]}
    categories = [{"name": "vehicle", "id": 1, "attributes": [kind, extras, {"input_type": "new"}]}]
    wire = {"name": "n", "task_type": task_type, "task_attributes": {"categories": categories}}
    return DatasetRules.of(structure(wire, Dataset))


def valued(**attributes):
    return annotated({**BOX, "attributes": attributes})


@pytest.mark.parametrize(
    ("task_type", "attributes", "problem"),
    [
        (
            "vector",
            annotated(CUBOID),
            (
                "attributes: the task type is 'vector': expected ImageVectorLabelAttributes, "
                "got what looks like PointcloudCuboidLabelAttributes"
            ),
        ),
        (
            "bboxes",
            annotated({**BOX, "type": "polygon"}),
            "attributes.annotations[0].type: the task type is 'bboxes': expected 'bbox', got 'polygon'",
        ),
        ("segmentation-bitmap", annotated({**PLAIN, "track_id": 1}), "attributes.segmentation_bitmap: missing"),
        ("image-vector-sequence", annotated(), "attributes.frames: missing"),
        ("multisensor-sequence", annotated(), "attributes.sensors: missing"),
        ("vector", annotated({"type": "blob"}), "attributes.annotations[0].category_id: missing"),
        (
            "vector",
            annotated({**BOX, "category_id": 9}),
            "attributes.annotations[0].category_id: the dataset has no category 9; its ids: 1",
        ),
        (
            "vector",
            annotated({**BLOB, "category_id": [9]}),
            "attributes.annotations[0].category_id: the dataset has no category [9]; its ids: 1",
        ),
        (
            "vector",
            valued(kind="lorry"),
            "attributes.annotations[0].attributes.kind: expected one of 'car', 'van', got 'lorry'",
        ),
        (
            "vector",
            valued(extras=["roof", "hok"]),
            "attributes.annotations[0].attributes.extras: expected one of 'roof', 'hook', got 'hok'",
        ),
        (
            "vector",
            valued(kindd="car"),
            (
                "attributes.annotations[0].attributes.kindd: the category 'vehicle' has no such attribute; "
                "did you mean 'kind'?"
            ),
        ),
    ],
)
def test_a_label_must_fit_its_dataset(task_type, attributes, problem):
    with pytest.raises(InputError) as caught:
        check_label({"sample_uuid": "u", "attributes": attributes}, rules(task_type))
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("task_type", "attributes"),
    [
        ("vector", annotated(BOX)),
        ("bboxes", annotated({**BLOB, "category_id": 1})),
        ("pointcloud-vector", annotated(CUBOID)),
        ("hologram", annotated(CUBOID)),
        ("text-named-entities", {"text": [annotated({"category_id": 1})]}),
        ("segmentation-bitmap", annotated()),
        ("pointcloud-segmentation", annotated()),
        ("pointcloud-segmentation-sequence", {"frames": [annotated(), annotated()]}),
        ("", annotated(CUBOID)),
        ("vector", valued(kind=None, extras=["roof"], distance=3)),
        ("vector", valued(kind="")),
    ],
)
def test_what_the_settings_of_a_dataset_leave_open_is_sent(task_type, attributes):
    check_label({"sample_uuid": "u", "attributes": attributes}, rules(task_type))


def test_attributes_that_contain_themselves():
    frames = {"frames": []}
    frames["frames"].append(frames)
    sensors = sensor({})
    sensors["sensors"][0]["attributes"] = sensors
    for attributes in (frames, sensors):
        for check in (check_label, check_label_content):
            with pytest.raises(InputError, match=r"^attributes: nested too deeply, or contains itself"):
                check({"sample_uuid": "u", "attributes": attributes})
