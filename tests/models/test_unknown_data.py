"""Unknown data is kept, and written back as it was read."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from types import NoneType

import pytest

from segments_async import models as m
from segments_async._serialization.converter import encode_json, structure, unstructure
from segments_async.models import (
    Asset,
    Collaborator,
    Dataset,
    ImageVectorLabelAttributes,
    Label,
    LabelPut,
    LabelSummary,
    Sample,
    SampleCreate,
    TaskAttributes,
    User,
)

BOX = {"id": 1, "category_id": 2, "type": "bbox", "points": [[1, 2.5], [3, 4]]}
MASK = {"annotations": [{"id": 1, "category_id": 0}], "segmentation_bitmap": {"url": "https://x.test/a.png"}}


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        pytest.param(Sample, {"uuid": "u", "name": "n", "robot": {"id": 3}}, id="top"),
        pytest.param(Sample, {"uuid": "u", "name": "n", "extra": {"extra": 1}}, id="a-key-called-extra"),
        pytest.param(Sample, {"uuid": "u", "name": "n", "camelCase": [1], "snake_case": None}, id="camel-case"),
        pytest.param(
            Sample,
            {"uuid": "u", "name": "n", "attributes": {"image": {"url": "x", "extra": 1}, "fit": 2}},
            id="nested",
        ),
        pytest.param(Label, {"label_type": "vector", "attributes": {"annotations": [{**BOX, "z": 1}]}}, id="box"),
        pytest.param(
            TaskAttributes,
            {"categories": [{"name": "cat", "id": 0, "link": "https://x.test", "color": [1, 2, 3]}]},
            id="keys-of-users-on-categories",
        ),
        pytest.param(User, {"username": "o", "members": [{"username": "m", "badge": 1}]}, id="own-kind"),
    ],
)
def test_unknown_keys_survive_where_they_are(model, wire):
    assert wire == unstructure(structure(wire, model))


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        pytest.param(Dataset, {"name": "n", "category": "custom-bees", "task_type": ""}, id="dataset"),
        pytest.param(Dataset, {"name": "n", "task_type": "hologram", "role": "emperor"}, id="new-words"),
        pytest.param(Label, {"label_status": "DREAMT", "label_type": "hologram", "attributes": {"a": 1}}, id="label"),
        pytest.param(
            Label, {"label_type": "vector", "attributes": {"annotations": [{**BOX, "type": "blob"}]}}, id="shape"
        ),
    ],
)
def test_unknown_words_survive(model, wire):
    assert wire == unstructure(structure(wire, model))


@pytest.mark.parametrize("empty", [{}, [], "", 0, False])
def test_empty_is_not_absent(empty):
    field = {dict: "metadata", list: "issues", str: "readme", int: "priority"}.get(type(empty), "odd")
    wire = {"uuid": "u", "name": "n", field: empty}
    assert wire == unstructure(structure(wire, Sample))


def test_null_of_an_optional_field_may_go_and_an_unknown_null_may_not():
    wire = {"uuid": "u", "name": "n", "readme": None, "odd": None, "metadata": {"city": None}}
    assert unstructure(structure(wire, Sample)) == {
        "uuid": "u",
        "name": "n",
        "odd": None,
        "metadata": {"city": None},
    }


@pytest.mark.parametrize("count", [94, "94", ""])
def test_samples_count_is_kept_as_it_came(count):
    dataset = structure({"name": "n", "samples_count": count}, Dataset)
    assert dataset.samples_count == count
    assert type(dataset.samples_count) is type(count)


def test_collaborator_is_a_name_or_a_user():
    assert structure({"user": "jane", "role": "reviewer"}, Collaborator).user == "jane"
    assert structure({"user": {"username": "jane"}, "role": "x"}, Collaborator).user == User(username="jane")


def test_asset_speaks_snake_case_here_and_camel_case_there():
    wire = {"url": "https://x.test/a", "presignedPostFields": {"url": "https://s3.test", "fields": {"key": "k"}}}
    asset = structure(wire, Asset)
    assert asset.presigned_post_fields.fields == {"key": "k"}
    assert wire == unstructure(asset)


@pytest.mark.parametrize(("text", "expected"), [
    ("2020-07-20T14:59:36.242218Z", datetime(2020, 7, 20, 14, 59, 36, 242218, tzinfo=UTC)),
    ("2020-07-20T14:59:36Z", datetime(2020, 7, 20, 14, 59, 36, tzinfo=UTC)),
    ("0999-07-20T14:59:36Z", datetime(999, 7, 20, 14, 59, 36, tzinfo=UTC)),
])  # fmt: skip
def test_times_go_back_to_the_letter(text, expected):
    sample = structure({"uuid": "u", "name": "n", "created_at": text}, Sample)
    assert sample.created_at == expected
    assert unstructure(sample)["created_at"] == text


@pytest.mark.parametrize(("text", "back"), [
    ("2020-07-20T16:59:36+02:00", "2020-07-20T14:59:36Z"),
    ("2020-07-20 14:59:36.5-0000", "2020-07-20T14:59:36.500000Z"),
])  # fmt: skip
def test_other_zones_keep_the_instant(text, back):
    assert unstructure(structure({"label_status": "x", "updated_at": text}, Label))["updated_at"] == back


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "",
        "2020-07-20",
        "2020-07-20T14:59:36",
        "2020-07-20T14:59:36.2422181Z",
        "2020-02-31T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "2020-W30-1T00:00:00Z",
        "２０20-07-20T14:59:36Z",  # noqa: RUF001 - digits of another script
    ],
)
def test_what_could_not_be_written_back_stays_text(text):
    sample = structure({"uuid": "u", "name": "n", "created_at": text}, Sample)
    assert sample.created_at == text
    assert unstructure(sample)["created_at"] == text


def test_own_times_are_written_in_utc():
    noon = datetime(2020, 4, 10, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert unstructure({"at": [noon]}) == {"at": ["2020-04-10T06:30:00Z"]}
    assert encode_json(noon) == b'"2020-04-10T06:30:00Z"'


VECTOR = {"annotations": [BOX]}
EMPTY = {"annotations": []}
SHAPE_3D = {**BOX, "type": "polygon", "points": [[1, 2, 3]]}
CUBOID = {
    "id": 1,
    "category_id": 2,
    "type": "cuboid",
    "position": {"x": 1, "y": 2.5, "z": 0},
    "dimensions": {"x": 4, "y": 2, "z": 1},
    "yaw": 0.5,
}
POINTS = {"annotations": [{"id": 1, "category_id": 0}], "point_annotations": [0, 1, 1]}


def sequence(*annotations, **more):
    return {"frames": [{"annotations": []}, {"annotations": [{**one, "track_id": 1} for one in annotations], **more}]}


@pytest.mark.parametrize(
    ("tag", "attributes", "kind"),
    [
        pytest.param("vector", VECTOR, m.ImageVectorLabelAttributes, id="vector"),
        pytest.param("bboxes", EMPTY, m.ImageVectorLabelAttributes, id="bboxes"),
        pytest.param("keypoints", EMPTY, m.ImageVectorLabelAttributes, id="keypoints"),
        pytest.param("segmentation-bitmap", MASK, m.ImageSegmentationLabelAttributes, id="bitmap"),
        pytest.param("segmentation-bitmap-highres", MASK, m.ImageSegmentationLabelAttributes, id="highres"),
        pytest.param("pointcloud-vector", VECTOR, m.PointcloudVectorLabelAttributes, id="tag-outranks-shape"),
        pytest.param("pointcloud-cuboid", {"annotations": [CUBOID]}, m.PointcloudCuboidLabelAttributes, id="cuboid"),
        pytest.param("pointcloud-vector", {"frames": []}, dict, id="no-sequence"),
        pytest.param("image-vector-sequence", {"frames": []}, m.ImageSequenceVectorLabelAttributes, id="image-frames"),
        pytest.param(
            "pointcloud-cuboid-sequence", {"frames": []}, m.PointcloudSequenceCuboidLabelAttributes, id="cloud-frames"
        ),
        pytest.param("multisensor-sequence", {"sensors": []}, m.MultiSensorLabelAttributes, id="sensors"),
        pytest.param("hologram", MASK, dict, id="unknown-tag"),
        pytest.param("hologram", [1], list, id="unknown-tag-list"),
        pytest.param("vector", {}, dict, id="unlabelled-object"),
        pytest.param("vector", [], list, id="unlabelled-list"),
        pytest.param("vector", None, NoneType, id="unlabelled-null"),
        pytest.param("vector", {"frames": []}, dict, id="essential-part-missing"),
        pytest.param("segmentation-bitmap", {**MASK, "segmentation_bitmap": None}, dict, id="essential-part-null"),
        pytest.param(None, VECTOR, m.ImageVectorLabelAttributes, id="shape-vector"),
        pytest.param("", MASK, m.ImageSegmentationLabelAttributes, id="shape-bitmap"),
        pytest.param(None, POINTS, m.PointcloudSegmentationLabelAttributes, id="shape-points"),
        pytest.param(None, EMPTY, dict, id="shape-nothing-drawn"),
        pytest.param(None, {"annotations": [CUBOID]}, m.PointcloudCuboidLabelAttributes, id="shape-cuboid"),
        pytest.param(None, {"annotations": [BOX, CUBOID]}, dict, id="shape-mixed"),
        pytest.param(None, {"annotations": [SHAPE_3D, CUBOID]}, m.PointcloudVectorLabelAttributes, id="shape-3d-mixed"),
        pytest.param(None, {"annotations": [SHAPE_3D]}, m.PointcloudVectorLabelAttributes, id="shape-3d"),
        pytest.param(None, {"annotations": [{**BOX, "type": ["odd"]}]}, dict, id="shape-odd"),
        pytest.param(None, {"annotations": ["odd"]}, dict, id="shape-no-annotation"),
        pytest.param(None, {"frames": []}, dict, id="shape-no-frames"),
        pytest.param(None, {"frames": ["odd"]}, dict, id="shape-no-frame"),
        pytest.param(None, sequence(BOX), m.ImageSequenceVectorLabelAttributes, id="shape-boxes"),
        pytest.param(None, sequence(CUBOID), m.PointcloudSequenceCuboidLabelAttributes, id="shape-cuboids"),
        pytest.param(None, sequence(SHAPE_3D), m.PointcloudSequenceVectorLabelAttributes, id="shape-3d-frames"),
        pytest.param(
            None,
            sequence(segmentation_bitmap={"url": "x"}),
            m.ImageSequenceSegmentationLabelAttributes,
            id="shape-bitmaps",
        ),
        pytest.param(
            None,
            {"frames": [{**POINTS, "annotations": []}]},
            m.PointcloudSequenceSegmentationLabelAttributes,
            id="shape-points-frames",
        ),
        pytest.param(None, {"sensors": []}, m.MultiSensorLabelAttributes, id="shape-sensors"),
        pytest.param(None, {"sensors": {}}, dict, id="shape-no-sensors"),
    ],
)
def test_the_tag_chooses_and_the_shape_only_without_one(tag, attributes, kind):
    wire = {key: value for key, value in (("label_type", tag), ("attributes", attributes)) if value is not None}
    label = structure({"attributes": attributes, **wire}, Label)
    assert type(label.attributes) is kind
    assert unstructure(label) == wire


IMAGE = {"image": {"url": "x"}}
CLOUD = {"pcd": {"url": "x", "type": "pcd"}}


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        (IMAGE, m.ImageSampleAttributes),
        (CLOUD, m.PointcloudSampleAttributes),
        ({"frames": [IMAGE, IMAGE]}, m.ImageSequenceSampleAttributes),
        ({"frames": [CLOUD]}, m.PointcloudSequenceSampleAttributes),
        ({"sensors": []}, m.MultiSensorSampleAttributes),
        ({"frames": [IMAGE, CLOUD]}, dict),
        ({"frames": [IMAGE, "odd"]}, dict),
        ({"frames": []}, dict),
        ({"frames": 3}, dict),
        ({"image": None}, dict),
        ({"hologram": IMAGE}, dict),
        ({}, dict),
    ],
)
def test_sample_attributes_are_known_by_their_shape(attributes, kind):
    for model, start in ((Sample, {"uuid": "u", "name": "n"}), (SampleCreate, {"name": "n"})):
        sample = structure({**start, "attributes": attributes}, model)
        assert type(sample.attributes) is kind
        assert unstructure(sample)["attributes"] == attributes


@pytest.mark.parametrize(
    ("task_type", "attributes", "kind"),
    [
        ("image-vector-sequence", {"frames": []}, m.ImageSequenceSampleAttributes),
        ("pointcloud-cuboid-sequence", {"frames": []}, m.PointcloudSequenceSampleAttributes),
        ("pointcloud-vector", CLOUD, m.PointcloudSampleAttributes),
        ("vector", IMAGE, m.ImageSampleAttributes),
        ("vector", CLOUD, dict),
        ("hologram", IMAGE, dict),
        ("pointcloud-cuboid-sequence", {}, dict),
    ],
)
def test_what_a_sensor_saw_is_known_by_its_task_type(task_type, attributes, kind):
    wire = {"sensors": [{"name": "Front", "task_type": task_type, "attributes": attributes}]}
    read = structure(wire, m.MultiSensorSampleAttributes)
    assert type(read.sensors[0].attributes) is kind
    assert unstructure(read) == wire


@pytest.mark.parametrize(
    ("task_type", "attributes", "kind"),
    [
        ("image-vector-sequence", sequence(BOX), m.ImageSequenceVectorLabelAttributes),
        ("image-segmentation-sequence", {"frames": []}, m.ImageSequenceSegmentationLabelAttributes),
        ("pointcloud-cuboid-sequence", sequence(CUBOID), m.PointcloudSequenceCuboidLabelAttributes),
        ("pointcloud-vector-sequence", sequence(SHAPE_3D), m.PointcloudSequenceVectorLabelAttributes),
        ("pointcloud-segmentation-sequence", {"frames": []}, m.PointcloudSequenceSegmentationLabelAttributes),
        ("hologram", sequence(BOX), dict),
        ("pointcloud-cuboid-sequence", [], list),
        ("pointcloud-cuboid-sequence", {}, dict),
    ],
)
def test_the_label_of_a_sensor_is_known_by_its_task_type(task_type, attributes, kind):
    wire = {"sensors": [{"name": "Front", "task_type": task_type, "attributes": attributes, "odd": 1}]}
    label = structure({"label_type": "multisensor-sequence", "attributes": wire}, Label)
    assert type(label.attributes.sensors[0].attributes) is kind
    assert unstructure(label)["attributes"] == wire


@pytest.mark.parametrize(
    ("tag", "annotation"),
    [
        ("vector", {"type": "blob", "id": 1, "category_id": 1}),
        ("pointcloud-cuboid", {"type": "ellipsoid", "id": 1, "category_id": 1, "radius": 3}),
    ],
)
def test_a_kind_of_annotation_that_no_class_describes_leaves_its_label_plain(tag, annotation):
    wire = {"label_type": tag, "attributes": {"annotations": [annotation]}}
    label = structure(wire, Label)
    assert label.attributes == wire["attributes"]
    assert list(label.annotations()) == []
    assert unstructure(label) == wire


def test_among_several_kinds_an_unknown_one_stays_plain_alone():
    ball = {"type": "ball", "radius": 3}
    wire = {"label_type": "pointcloud-vector", "attributes": {"annotations": [SHAPE_3D, ball, CUBOID]}}
    label = structure(wire, Label)
    shape, plain, cuboid = label.attributes.annotations
    assert (type(shape), plain, type(cuboid)) == (m.PointcloudVectorAnnotation, ball, m.PointcloudCuboidAnnotation)
    assert [annotation for _, _, annotation in label.annotations()] == [shape, cuboid]
    assert unstructure(label) == wire


def test_a_sample_carries_a_label_a_summary_or_nothing():
    start = {"uuid": "u", "name": "n"}
    assert structure({**start, "label": None}, Sample).label is None
    assert type(structure({**start, "label": {"label_status": "LABELED"}}, Sample).label) is LabelSummary
    full = structure({**start, "label": {"label_type": "vector", "attributes": {"annotations": [BOX]}}}, Sample)
    assert type(full.label) is Label
    assert type(full.label.attributes) is ImageVectorLabelAttributes


def test_an_edited_label_goes_back_with_just_that_changed():
    wire = {"label_type": "vector", "odd": 1, "attributes": {"odd": 2, "annotations": [{**BOX, "odd": 3}]}}
    label = structure(deepcopy(wire), Label)
    label.attributes.annotations[0].points[0][0] = 99
    wire["attributes"]["annotations"][0]["points"] = [[99, 2.5], [3, 4]]
    assert wire == unstructure(label)


def test_a_field_outranks_an_extra_key_of_its_name():
    assert unstructure(LabelPut("u", {}, score=0.5, extra={"score": 1, "other": 2})) == {
        "sample_uuid": "u",
        "attributes": {},
        "score": 0.5,
        "other": 2,
    }
