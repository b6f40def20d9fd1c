"""`sample.image`, `label.vector` and the like return the attributes of their type, or say which type it is."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from payloads_of_every_kind import LABELS, SAMPLES

from segments_async import (
    Label,
    LabelSensor,
    ReleaseSample,
    Sample,
    SampleSensor,
    WrongTypeError,
    structure,
    unstructure,
)
from segments_async.errors import SegmentsError

OF_SAMPLE = {
    "image": "image",
    "images": "image_sequence",
    "point cloud": "pointcloud",
    "point clouds": "pointcloud_sequence",
    "sensors": "multisensor",
}
OF_LABEL = {
    "segmentation-bitmap": "segmentation",
    "vector": "vector",
    "image-segmentation-sequence": "segmentation_sequence",
    "image-vector-sequence": "vector_sequence",
    "pointcloud-segmentation": "pointcloud_segmentation",
    "pointcloud-cuboid": "pointcloud_cuboid",
    "pointcloud-vector": "pointcloud_vector",
    "pointcloud-segmentation-sequence": "pointcloud_segmentation_sequence",
    "pointcloud-cuboid-sequence": "pointcloud_cuboid_sequence",
    "pointcloud-vector-sequence": "pointcloud_vector_sequence",
    "multisensor-sequence": "multisensor",
}


def properties_of(model):
    return {name for name, value in inspect.getmembers(model) if isinstance(value, property)}


def answers(instance):
    """The properties of *instance* that return something."""
    return {name for name in properties_of(type(instance)) if hasattr(instance, name)}


def sample_of(kind, model=Sample):
    return structure({"uuid": "u-1", "name": "a", "attributes": SAMPLES[kind]}, model)


def label_of(kind):
    return structure({"sample_uuid": "u-1", "label_type": kind, "attributes": LABELS[kind]}, Label)


@pytest.mark.parametrize("model", [Sample, ReleaseSample])
@pytest.mark.parametrize("kind", SAMPLES)
def test_each_type_of_sample_has_one_property(kind, model):
    sample = sample_of(kind, model)

    assert properties_of(model) == set(OF_SAMPLE.values())
    assert answers(sample) == {OF_SAMPLE[kind]}
    value = getattr(sample, OF_SAMPLE[kind])
    assert value is (sample.attributes.image if kind == "image" else sample.attributes)


@pytest.mark.parametrize("kind", LABELS)
def test_each_type_of_label_has_one_property(kind):
    label = label_of(kind)

    assert properties_of(Label) == set(OF_LABEL.values())
    assert answers(label) == {OF_LABEL[kind]}
    assert getattr(label, OF_LABEL[kind]) is label.attributes


def test_sensors_have_the_properties_of_their_types():
    sample, label = sample_of("sensors"), label_of("multisensor-sequence")
    lidar, left, right = label.multisensor.sensors[:3]

    assert properties_of(SampleSensor) == set(OF_SAMPLE.values()) - {"multisensor"}
    assert properties_of(LabelSensor) == set(OF_LABEL.values()) - {"multisensor"}
    assert answers(sample.multisensor.sensors[0]) == {"pointcloud_sequence"}
    assert answers(lidar) == {"pointcloud_cuboid_sequence"}
    assert answers(left) == {"vector_sequence"}
    assert answers(right) == set()


@pytest.mark.parametrize(
    ("instance", "name", "words"),
    [
        (
            sample_of("point cloud"),
            "image",
            "the Sample 'a' has no 'image': its attributes are PointcloudSampleAttributes; use 'pointcloud'",
        ),
        (
            label_of("vector"),
            "segmentation",
            "the Label 'u-1' has no 'segmentation': its attributes are ImageVectorLabelAttributes; use 'vector'",
        ),
        (Label(attributes={}), "vector", "this Label has no 'vector': it has no attributes"),
        (Sample(uuid="u-1", name="a"), "image", "the Sample 'a' has no 'image': it has no attributes"),
        (
            Sample(uuid="u-1", name="a", attributes={"text": {"url": "x"}}),
            "image",
            (
                "the Sample 'a' has no 'image': "
                "the type of its attributes is not known; see 'attributes', of the class dict"
            ),
        ),
        (
            LabelSensor(name="Left", task_type="image-vector-sequence", attributes=[]),
            "vector_sequence",
            "the LabelSensor 'Left' has no 'vector_sequence': it has no attributes",
        ),
    ],
)
def test_the_error_says_which_type_it_is(instance, name, words):
    with pytest.raises(WrongTypeError) as caught:
        getattr(instance, name)

    assert str(caught.value) == words
    assert isinstance(caught.value, SegmentsError)
    assert isinstance(caught.value, AttributeError)
    assert getattr(instance, name, None) is None


@pytest.mark.parametrize("instance", [sample_of("point cloud"), label_of("vector")])
def test_properties_are_not_fields(instance):
    """They appear neither in JSON nor in a repr, cannot be set, and copies and pickles do not evaluate them."""
    wire = unstructure(instance)

    assert not properties_of(type(instance)) & set(wire)
    assert copy.deepcopy(instance) == copy.copy(instance) == pickle.loads(pickle.dumps(instance)) == instance
    assert "image=" not in repr(instance)
    with pytest.raises(AttributeError):
        instance.multisensor = 1
    assert dict(inspect.getmembers(instance))["attributes"] is instance.attributes


def test_unknown_keys_with_the_names_of_properties_are_kept():
    wire = {"uuid": "u-1", "name": "a", "attributes": SAMPLES["image"], "image": "new", "vector": 1}

    sample = structure(wire, Sample)

    assert sample.image.url == "https://x.test/a.png"
    assert unstructure(sample) == wire
