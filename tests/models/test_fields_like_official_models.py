"""
Every model of the official SDK has a counterpart with all of its fields, and both read the same from the same JSON.

A class or a field that a newer SDK adds fails here until there is a model of ours or a reason.
"""

from enum import Enum

import attrs
import pytest
import segments.typing as theirs
from payloads_of_every_kind import LABELS, SAMPLES, TASK_ATTRIBUTES
from pydantic import BaseModel, TypeAdapter
from segments.resource_api import Label as TheirLabel, Sample as TheirSample

from segments_async import models
from segments_async._serialization.compile import key_of
from segments_async._serialization.converter import structure, unstructure

OURS = {
    "IssueAnchor2DCoordinates": "IssueLocation2D",
    "IssueAnchor3DCoordinates": "IssueLocation3D",
    "IssueBaseAnchor": "IssueBasicAnchor",
    "File": "Asset",
    "PresignedPostFields": "PresignedPost",
    "PCD": "PCD",
    # One class does for a sensor, whatever it is of: its task_type chooses the class of its attributes.
    "MultiSensorImageSequenceSampleAttributes": "SampleSensor",
    "MultiSensorPointcloudSequenceSampleAttributes": "SampleSensor",
    "MultiSensorImageSequenceSegmentationLabelAttributes": "LabelSensor",
    "MultiSensorImageSequenceVectorLabelAttributes": "LabelSensor",
    "MultiSensorPointcloudSequenceCuboidLabelAttributes": "LabelSensor",
    "MultiSensorPointcloudSequenceSegmentationLabelAttributes": "LabelSensor",
    "MultiSensorPointcloudSequenceVectorLabelAttributes": "LabelSensor",
    # The attributes of links are a part of those of objects.
    "CheckboxTaskLinkAttribute": "CheckboxTaskAttribute",
    "MultiselectTaskLinkAttribute": "MultiselectTaskAttribute",
    "NumberTaskLinkAttribute": "NumberTaskAttribute",
    "SelectTaskLinkAttribute": "SelectTaskAttribute",
    "TextTaskLinkAttribute": "TextTaskAttribute",
    "BaseTaskLinkAttribute": "BaseTaskAttribute",
    # Bases that the SDK splits further than we do.
    "BaseAttribute": "BaseTaskAttribute",
    "BaseCheckboxTaskAttribute": "CheckboxTaskAttribute",
    "BaseMultiselectTaskAttribute": "MultiselectTaskAttribute",
    "BaseNumberTaskAttribute": "NumberTaskAttribute",
    "BasePointsTaskAttribute": "PointsTaskAttribute",
    "BaseQuaternionTaskAttribute": "QuaternionTaskAttribute",
    "BaseSelectTaskAttribute": "SelectTaskAttribute",
    "BaseTextTaskAttribute": "TextTaskAttribute",
    "BaseVector3TaskAttribute": "Vector3TaskAttribute",
    "BasePointcloudCuboidLabelAttributes": "PointcloudCuboidLabelAttributes",
    "BasePointcloudVectorLabelAttributes": "PointcloudVectorLabelAttributes",
    "BasePointcloudSequenceCuboidLabelAttributes": "PointcloudSequenceCuboidLabelAttributes",
    "BasePointcloudSequenceVectorLabelAttributes": "PointcloudSequenceVectorLabelAttributes",
    "Owner": "User",
    "SegmentsDatasetCategory": "TaskAttributeCategory",
}
"""Ours, where it is called otherwise."""
REASONS = {
    "BaseModel": "the base of the others",
    "DeleteSamplesResponse": "a number: `BulkReport.deleted_count`",
    "LabelStats": "a mapping by status, as statuses are added without notice",
}
CLASSES = {
    name: value
    for name, value in vars(theirs).items()
    if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == "segments.typing"
}
ENUMS = {
    name: value
    for name, value in vars(theirs).items()
    if isinstance(value, type) and issubclass(value, Enum) and list(value) and value.__module__ == "segments.typing"
}


def ours_of(name):
    return getattr(models, OURS.get(name, name), None)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_and_every_field_is_ours_too(name):
    if name in REASONS:
        assert not hasattr(models, name)
        return
    ours = ours_of(name)
    assert ours is not None, f"the SDK has {name}: give it a model or a reason"
    known = {key_of(attribute) for attribute in attrs.fields(ours)}
    assert set(CLASSES[name].model_fields) <= known


def test_no_name_is_out_of_date():
    assert (set(OURS) | set(REASONS)) <= set(CLASSES)


@pytest.mark.parametrize("name", ENUMS)
def test_every_word_is_ours_too(name):
    ours = ours_of(name)
    if name == "ExportFormat":
        return
    assert {(word.name, word.value) for word in ENUMS[name]} <= {(word.name, word.value) for word in ours}


def known_to_both(theirs, ours):
    """What the SDK kept, and the same of what we kept."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        pairs = {key: known_to_both(item, ours[key]) for key, item in theirs.items() if item is not None}
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        both = [known_to_both(*pair) for pair in zip(theirs, ours, strict=True)]
        return [pair[0] for pair in both], [pair[1] for pair in both]
    return theirs, ours


STAMPS = {"created_at": "2020-04-10T20:09:31Z", "created_by": "jane", "updated_at": "2020-04-10T20:09:31Z"}
LABEL = {"sample_uuid": "u", "label_status": "LABELED", "labelset": "ground-truth", **STAMPS}
SAMPLE = {"uuid": "u", "name": "n", "metadata": {}, "priority": 0, "created_at": "x", "created_by": "jane"}


@pytest.mark.parametrize("tag", LABELS)
def test_labels_of_every_type_read_the_same(tag):
    wire = {**LABEL, "label_type": tag, "attributes": LABELS[tag]}
    read = TypeAdapter(TheirLabel).validate_python(wire).model_dump(mode="json", exclude_unset=True)
    kept, ours = known_to_both(read, unstructure(structure(wire, models.Label)))
    assert kept == ours
    assert structure(read, models.Label).extra == {}


@pytest.mark.parametrize("kind", SAMPLES)
def test_samples_of_every_kind_read_the_same(kind):
    wire = {**SAMPLE, "attributes": SAMPLES[kind]}
    read = TypeAdapter(TheirSample).validate_python(wire).model_dump(mode="json", exclude_unset=True)
    kept, ours = known_to_both(read, unstructure(structure(wire, models.Sample)))
    assert kept == ours
    assert type(structure(read, models.Sample).attributes) is type(structure(wire, models.Sample).attributes)


def test_categories_read_the_same():
    wire = {**TASK_ATTRIBUTES, "warning_rules": TASK_ATTRIBUTES["warning_rules"][:3]}
    (category,) = TASK_ATTRIBUTES["categories"]
    wire["categories"] = [{**category, "attributes": category["attributes"][:8]}]
    read = theirs.TaskAttributes.model_validate(wire).model_dump(mode="json", exclude_unset=True)
    kept, ours = known_to_both(read, unstructure(structure(wire, models.TaskAttributes)))
    number = kept["categories"][0]["attributes"][3]
    assert number.pop("min") == 1.0
    assert ours["categories"][0]["attributes"][3].pop("min") == "1"
    assert kept == ours
