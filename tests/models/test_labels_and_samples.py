"""Labels, samples and categories of every kind are typed to the last key, and go back as they came."""

from copy import deepcopy

import attrs
import pytest
from payloads_of_every_kind import (
    BOX,
    BROWN_CONRADY,
    CLOUD,
    CUBOID,
    LABELS,
    LANE,
    OBJECT,
    ORTHO,
    SAMPLES,
    TASK_ATTRIBUTES,
    TRACKED,
)
from strategies import LABEL_TYPES, SAMPLE_TYPES

from segments_async import models as m
from segments_async._serialization.converter import check, structure, unstructure
from segments_async.errors import DecodeError, InputError

TAG_OF = {tags[0]: shape for shape, tags in LABEL_TYPES.items()}


def leftovers(value):
    """Keys that no field has, wherever in a model they are."""
    if isinstance(value, m.Model):
        fields = [getattr(value, name) for name in attrs.fields_dict(type(value))]
        return set(value.extra) | {key for field in fields for key in leftovers(field)}
    return {key for item in value for key in leftovers(item)} if isinstance(value, list) else set()


@pytest.mark.parametrize("tag", LABELS)
def test_labels(tag):
    wire = {"label_type": tag, "attributes": LABELS[tag]}
    before = deepcopy(wire)
    label = structure(wire, m.Label)
    assert type(label.attributes) is TAG_OF[tag]
    assert leftovers(label) == set()
    assert unstructure(label) == wire == before
    untagged = structure({"attributes": wire["attributes"]}, m.Label)
    assert type(untagged.attributes) is TAG_OF[tag]
    assert untagged.attributes == label.attributes


@pytest.mark.parametrize("kind", SAMPLES)
def test_samples(kind):
    attributes = structure({"uuid": "u", "name": "n", "attributes": SAMPLES[kind]}, m.Sample).attributes
    assert type(attributes) in SAMPLE_TYPES
    assert leftovers(attributes) == set()
    assert unstructure(attributes) == SAMPLES[kind]


@pytest.mark.parametrize("tag", LABELS)
def test_label_attributes_alone_are_known_by_their_shape(tag):
    assert type(structure(LABELS[tag], m.LabelAttributes)) is TAG_OF[tag]
    assert type(structure([LABELS[tag]], list[m.LabelAttributes | None])[0]) is TAG_OF[tag]


@pytest.mark.parametrize("kind", SAMPLES)
def test_sample_attributes_alone_are_known_by_their_shape(kind):
    assert unstructure(structure(SAMPLES[kind], m.SampleAttributes)) == SAMPLES[kind]
    assert type(structure(SAMPLES[kind], m.SampleAttributes)) in SAMPLE_TYPES


def test_of_an_unknown_shape_what_may_be_plain_is_plain():
    assert structure({"hologram": 1}, m.SampleAttributes) == {"hologram": 1}
    assert structure([], m.LabelAttributes) == []
    with pytest.raises(DecodeError, match=r"^unknown shape"):
        structure(SAMPLES["image"], m.PointcloudSampleAttributes | m.MultiSensorSampleAttributes)


def test_ambiguous_union_is_a_mistake_of_the_caller():
    with pytest.raises(TypeError, match=r"^cannot distinguish the members of .*User"):
        structure({}, m.User | m.Dataset)


def test_all_kinds_are_here():
    assert len(LABELS) == len(set(LABEL_TYPES)) == 11
    assert len(SAMPLES) == len(SAMPLE_TYPES) == 5


def test_categories_and_their_attributes():
    read = structure(TASK_ATTRIBUTES, m.TaskAttributes)
    assert unstructure(read) == TASK_ATTRIBUTES
    (car,) = read.categories
    assert car.extra == {"foo": {"bar": 1}}
    assert [type(attribute).__name__ for attribute in car.attributes] == [
        "SelectTaskAttribute",
        "MultiselectTaskAttribute",
        "TextTaskAttribute",
        "NumberTaskAttribute",
        "CheckboxTaskAttribute",
        "Vector3TaskAttribute",
        "QuaternionTaskAttribute",
        "PointsTaskAttribute",
        "dict",
    ]
    assert type(car.link_attributes[0]) is m.SelectTaskAttribute
    assert car.dimensions == m.PartialXYZ(x=4.5, y=1.75)
    rules = [type(rule) for rule in read.warning_rules]
    assert rules == [m.IntersectingCuboidsRule, m.IntersectingCuboidsRule, m.CuboidDimensionLimitsRule, dict]


@pytest.mark.parametrize("limit", ["", "1.5", 1, 1.5])
def test_limits_of_a_number_are_kept_as_they_came(limit):
    wire = {"name": "n", "id": 1, "attributes": [{"name": "a", "input_type": "number", "min": limit, "step": limit}]}
    (number,) = structure(wire, m.TaskAttributeCategory).attributes
    assert (number.min, type(number.min)) == (limit, type(limit))
    assert unstructure(number) == wire["attributes"][0]


@pytest.mark.parametrize("model", [m.Velocity, m.Acceleration])
@pytest.mark.parametrize("relative", [None, 0.5])
def test_a_relative_velocity_may_be_null_and_then_stays_so(model, relative):
    """The key is always there: the official SDK cannot read a cuboid without it."""
    wire = {"relative": relative, "absolute": 2}
    assert structure(wire, model) == model(relative=relative, absolute=2)
    assert unstructure(model(relative=relative, absolute=2)) == wire


def test_both_distortion_models_and_a_new_one():
    models = {"fisheye": m.DistortionFisheye, "brown-conrady": m.DistortionBrownConrady, "pincushion": dict}
    for word, model in models.items():
        coefficients = {"k1": 1.0, "k2": 0, "k3": 0.5, "k4": 2} | (BROWN_CONRADY if word != "fisheye" else {})
        wire = {"url": "x", "distortion": {"model": word, "coefficients": coefficients}}
        image = structure(wire, m.CalibratedImage)
        assert type(image.distortion) is model
        assert unstructure(image) == wire


def test_a_height_map_always_sends_its_offset_and_scale():
    height_map = m.HeightMap(url="x", encoding="rgb16")
    assert unstructure(height_map) == {"url": "x", "encoding": "rgb16", "offset": 0, "scale": 1}


def test_a_height_map_that_was_stored_without_them_stays_as_it_is():
    wire = {**ORTHO, "height_map": {"url": "x", "encoding": "rgb16"}}
    image = structure(wire, m.OrthoImage)
    assert image.height_map == wire["height_map"]
    assert unstructure(image) == wire


def sensor_of(frames):
    return {"name": "Front", "task_type": "pointcloud-cuboid-sequence", "attributes": {"frames": frames}}


WRONG = [
    ("pointcloud-cuboid", {"annotations": [{**OBJECT, **CUBOID, "position": {"x": 1, "y": "2", "z": 3}}]},
     "attributes.annotations[0].position.y", "expected a number, got str"),
    ("pointcloud-cuboid", {"annotations": [{**OBJECT, **CUBOID, "yaw": None}]},
     "attributes.annotations[0].yaw", "expected a number, got null"),
    ("pointcloud-cuboid-sequence", {"frames": [{"annotations": [{**OBJECT, **CUBOID}]}]},
     "attributes.frames[0].annotations[0].track_id", "missing"),
    ("pointcloud-vector", {"annotations": [{**OBJECT, **LANE, "points": [[1, 2, None]]}]},
     "attributes.annotations[0].points[0][2]", "expected a number, got null"),
    ("pointcloud-segmentation", {"annotations": [], "point_annotations": [0, 1.5]},
     "attributes.point_annotations[1]", "expected an integer, got float"),
    ("image-vector-sequence", {"frames": [{"annotations": [{**TRACKED, **BOX, "is_keyframe": 1}]}]},
     "attributes.frames[0].annotations[0].is_keyframe", "expected true or false, got int"),
    ("vector", {"annotations": [{**OBJECT, **BOX}], "links": [{"from_id": "1", "to_id": 2}]},
     "attributes.links[0].from_id", "expected an integer, got str"),
    ("multisensor-sequence", {"sensors": [sensor_of([{"annotations": [{**TRACKED, **CUBOID, "id": None}]}])]},
     "attributes.sensors[0].attributes.frames[0].annotations[0].id", "expected an integer, got null"),
    ("multisensor-sequence", {"sensors": [{"task_type": "x", "attributes": []}]},
     "attributes.sensors[0].name", "missing"),
]  # fmt: skip


@pytest.mark.parametrize(("tag", "attributes", "path", "problem"), WRONG, ids=[wrong[2] for wrong in WRONG])
def test_what_is_essential_is_checked_in_replies_and_arguments(tag, attributes, path, problem):
    with pytest.raises(DecodeError) as caught:
        structure({"label_type": tag, "attributes": attributes}, m.Label)
    assert (caught.value.path, caught.value.problem) == (path, problem)
    with pytest.raises(InputError) as refused:
        check({"sample_uuid": "u", "attributes": attributes}, m.LabelPut, "labels[3]")
    assert str(refused.value) == f"labels[3].{path}: {problem}"


@pytest.mark.parametrize(
    "attributes",
    [
        {"annotations": [m.ImageVectorAnnotation(id=1, category_id="2", type="point", points=[[1, 2]])]},
        {"annotations": ({**OBJECT, **BOX, "category_id": "2"},)},
        m.ImageVectorLabelAttributes(annotations=[{**OBJECT, **BOX, "category_id": "2"}]),
    ],
    ids=["model-in-json", "tuple", "json-in-model"],
)
def test_a_mixture_of_models_and_json_is_checked(attributes):
    with pytest.raises(InputError, match=r"^attributes\.annotations\[0\]\.category_id: expected an integer, got str$"):
        check({"sample_uuid": "u", "attributes": attributes}, m.LabelPut)


@pytest.mark.parametrize(
    ("attributes", "path", "problem"),
    [
        ({"pcd": {"url": "x"}}, "attributes.pcd.type", "missing"),
        ({"frames": [CLOUD, {**CLOUD, "ego_pose": {"position": {"x": 1}}}]},
         "attributes.frames[1].ego_pose.position.y", "missing"),
        ({**CLOUD, "images": [{"url": "x", "intrinsics": {"intrinsic_matrix": [[1, 2, "3"]]}}]},
         "attributes.images[0].intrinsics.intrinsic_matrix[0][2]", "expected a number, got str"),
        ({**CLOUD, "images": [{"url": "x", "distortion": {"model": "fisheye", "coefficients": {}}}]},
         "attributes.images[0].distortion.coefficients.k1", "missing"),
        ({**CLOUD, "images": [{"url": "x", "distortion": 5}]},
         "attributes.images[0].distortion", "expected an object, got int"),
        ({"sensors": [{"name": "a", "task_type": "image-vector-sequence", "attributes": {"frames": [{}]}}]},
         "attributes.sensors[0].attributes.frames[0].image", "missing"),
    ],
)  # fmt: skip
def test_so_it_is_in_samples(attributes, path, problem):
    with pytest.raises(InputError) as refused:
        check({"name": "n", "attributes": attributes}, m.SampleCreate, "samples[17]")
    assert str(refused.value) == f"samples[17].{path}: {problem}"


EXPECTED = {
    "segmentation-bitmap": [(None, None)],
    "pointcloud-cuboid": [(None, None)] * 2,
    "pointcloud-cuboid-sequence": [(None, 0), (None, 1)],
    "pointcloud-vector-sequence": [(None, 0), (None, 0), (None, 1), (None, 1)],
    "multisensor-sequence": [(name, frame) for name in ("Lidar", "Left", "Lanes", "Masks") for frame in (0, 1)],
}


@pytest.mark.parametrize("tag", LABELS)
def test_annotations_of_every_kind_with_their_sensor_and_frame(tag):
    label = structure({"label_type": tag, "attributes": LABELS[tag]}, m.Label)
    found = list(label.annotations())
    assert found
    assert all(isinstance(annotation, m.Annotation) and annotation.category_id == 2 for _, _, annotation in found)
    if tag in EXPECTED:
        assert [(sensor, frame) for sensor, frame, _ in found] == EXPECTED[tag]
    for _, _, annotation in found:
        annotation.category_id = 7
    assert {annotation.category_id for _, _, annotation in label.annotations()} == {7}


@pytest.mark.parametrize("attributes", [None, {}, [], {"hologram": 1}])
def test_unlabelled_and_unknown_attributes_have_no_annotations(attributes):
    assert list(structure({"label_type": "vector", "attributes": attributes}, m.Label).annotations()) == []
