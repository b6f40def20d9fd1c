"""What other tools call the fields of labels and samples: an error says the name here, and where the field is."""

from __future__ import annotations

import copy
import inspect
import pickle
import pydoc
import re

import attrs
import pytest
from payloads_of_every_kind import LABELS, SAMPLES

import segments_async
from segments_async import InputError, Label, LabelSensor, Sample, models, structure, unstructure
from segments_async._serialization.converter import check
from segments_async.models._other_names import OTHER_NAMES, OtherName, missing
from segments_async.models.annotations import Annotation


def label_of(kind):
    return structure({"sample_uuid": "u-1", "label_type": kind, "attributes": LABELS[kind]}, Label)


def parts_of(value):
    """The attributes, frames and annotations in *value*, at any depth."""
    if isinstance(value, models.Model):
        if isinstance(value, Annotation) or type(value).__name__.endswith(("Frame", "LabelAttributes")):
            yield value
        value = [getattr(value, field.name) for field in attrs.fields(type(value))]
    if isinstance(value, list):
        for item in value:
            yield from parts_of(item)


@pytest.mark.parametrize("kind", LABELS)
def test_fields_of_each_type_of_label(kind):
    """Each name of `OTHER_NAMES` says its field, in annotations, frames and attributes; so does setting it."""
    tried = set()
    for part in parts_of(label_of(kind).attributes):
        names = {field.name for field in attrs.fields(type(part))}
        for field in OTHER_NAMES.keys() & names:
            for name in OTHER_NAMES[field]:
                if name in names or (name == "bbox" and hasattr(part, name)):  # `bbox` draws one
                    continue
                words = f"'{type(part).__name__}' object has no attribute '{name}'; did you mean '{field}'?"
                for use in (lambda: getattr(part, name), lambda: setattr(part, name, 1)):  # noqa: B023
                    with pytest.raises(AttributeError) as caught:
                        use()
                    assert (str(caught.value), caught.value.name, caught.value.obj) == (words, name, part)
                assert not hasattr(part, name)
                assert name not in dir(part)
                tried.add(field)
    assert tried & {"annotations", "frames"}
    assert ("category_id" in tried) == any(isinstance(part, Annotation) for part in parts_of(label_of(kind)))


@pytest.mark.parametrize(
    ("owner", "name", "instead"),
    [
        (label_of("vector"), "boxes", "vector.annotations"),
        (label_of("vector"), "frames", "vector"),
        (label_of("image-vector-sequence"), "frames", "vector_sequence.frames"),
        (label_of("segmentation-bitmap"), "mask", "segmentation.segmentation_bitmap"),
        (label_of("pointcloud-cuboid"), "cuboids", "pointcloud_cuboid.annotations"),
        (label_of("pointcloud-segmentation"), "point_annotations", "pointcloud_segmentation.point_annotations"),
        (label_of("multisensor-sequence"), "sensors", "multisensor.sensors"),
        (label_of("multisensor-sequence").multisensor.sensors[0], "frames", "pointcloud_cuboid_sequence.frames"),
        (Label(), "boxes", "segmentation.annotations"),
        (LabelSensor(name="a", task_type="new", attributes=[]), "point_annotations", None),
        (structure({"uuid": "u", "name": "a", "attributes": SAMPLES["image"]}, Sample), "url", "image.url"),
        (structure({"uuid": "u", "name": "a", "attributes": SAMPLES["point cloud"]}, Sample), "pcd", "pointcloud.pcd"),
        (structure({"uuid": "u", "name": "a", "attributes": SAMPLES["images"]}, Sample), "frames", None),
        (structure({"uuid": "u", "name": "a", "attributes": SAMPLES["sensors"]}, Sample), "sensors", None),
    ],
)
def test_fields_of_attributes(owner, name, instead):
    """Where the attributes are of another type, their property is named."""
    with pytest.raises(AttributeError) as caught:
        getattr(owner, name)
    said = str(caught.value).split("did you mean ")[1].strip("'?")
    assert said == (instead or said)
    assert said.split(".")[-1] == name or instead is not None
    assert name not in dir(owner)


@pytest.mark.parametrize("model", [Annotation, Label, Sample, models.ImageVectorLabelAttributes])
def test_names_of_a_class(model):
    """They are missing there, too, and its help says what to write."""
    names = {name for cls in model.__mro__ for name in vars(cls)}
    others = {name for name in names if isinstance(inspect.getattr_static(model, name), OtherName)}
    assert others
    assert not any(hasattr(model, name) for name in others)
    help_page = pydoc.plain(pydoc.render_doc(model))
    assert all(f"{name}\n |      Not an attribute: write '" in help_page for name in others)


def test_the_other_names_as_keys_of_json():
    """Keys that the service may add are kept, and copies and pickles are as ever."""
    box = {"id": 1, "category_id": 2, "type": "bbox", "points": [[1, 2], [3, 4]], "category": "new", "box": 1}
    label = structure({"label_type": "vector", "attributes": {"annotations": [box], "boxes": []}}, Label)
    assert unstructure(label)["attributes"] == {"annotations": [box], "boxes": []}
    assert pickle.loads(pickle.dumps(label)) == copy.deepcopy(label) == label


@pytest.mark.parametrize("field", OTHER_NAMES)
def test_words_about_missing_keys(field):
    for name in OTHER_NAMES[field]:
        words = "missing" if name in OTHER_NAMES else f"missing; write {field!r} instead of {name!r}"
        assert missing({"extra", name}, field) == words
    assert missing({"extra"}, field) == missing(set(), "name") == "missing"


@pytest.mark.parametrize("kind", LABELS)
def test_missing_keys_of_each_type_of_label(kind):
    """The error of a label to send says the right name, where another one stands for a required key."""
    label = label_of(kind)
    renamed = replaced(unstructure(label.attributes), "category_id", "category")
    if renamed is None:
        return
    with pytest.raises(InputError, match=r"category_id: missing; write 'category_id' instead of 'category'$"):
        check(renamed, type(label.attributes), "attributes")


def replaced(value, key, name):
    """*value* with the first *key*, at any depth, under another *name*; None if there is none."""
    if isinstance(value, dict) and key in value:
        return {name if known == key else known: item for known, item in value.items()}
    for place, item in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        if (found := replaced(item, key, name)) is not None:
            copied = copy.copy(value)
            copied[place] = found
            return copied
    return None


PUBLIC = [getattr(segments_async, name) for name in segments_async.__all__ if not name.startswith("__")]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: getattr(public, "__name__", repr(public)))
def test_help_of_every_public_name(public):
    assert pydoc.render_doc(public)


@pytest.mark.parametrize(
    ("name", "instead"), [("model_dump", "unstructure(model)"), ("model_validate", "structure(json, Model)")]
)
def test_methods_of_pydantic(name, instead):
    for owner in (Label(), Label):
        with pytest.raises(AttributeError, match=re.escape(f"did you mean '{instead}'?")):
            getattr(owner, name)
        assert not hasattr(owner, name)
