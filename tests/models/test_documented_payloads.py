"""What the service's API documentation shows goes through the models unchanged."""

import json

import pytest
from documented_payloads import DOCUMENTED

from segments_async._serialization.converter import decode_json, encode_json, structure, unstructure
from segments_async.models import (
    Dataset,
    ImageSampleAttributes,
    ImageSegmentationLabelAttributes,
    Label,
    Release,
    Sample,
)

every_block = pytest.mark.parametrize("block", DOCUMENTED, ids=[block.title for block in DOCUMENTED])


@every_block
def test_reading_and_writing_back_changes_nothing(block):
    payload = json.loads(block.text)
    assert payload == unstructure(structure(payload, block.model))


@every_block
def test_so_does_the_way_over_the_wire(block):
    read = structure(decode_json(block.text.encode()), block.model)
    assert json.loads(block.text) == decode_json(encode_json(read))


@every_block
def test_reading_leaves_nothing_over(block):
    """Every documented key is a field, so that users find it under its name."""

    def leftovers(value):
        if isinstance(value, list):
            return {key for item in value for key in leftovers(item)}
        return set(value.extra)

    assert set() == leftovers(structure(json.loads(block.text), block.model))


def documented(title):
    (block,) = (block for block in DOCUMENTED if block.title == title)
    return structure(json.loads(block.text), block.model)


def test_documented_dataset():
    dataset = documented("GET /datasets/:owner/:dataset")
    assert isinstance(dataset, Dataset)
    assert dataset.identifier == "bert/cats"
    assert [category.name for category in dataset.task_attributes.categories] == ["cat", "dog"]
    assert [labelset.name for labelset in dataset.labelsets] == ["ground-truth", "predictions"]
    assert dataset.created_at.isoformat() == "2020-07-20T14:59:36.242218+00:00"


def test_documented_sample():
    sample = documented("GET /samples/:sample_uuid")
    assert isinstance(sample, Sample)
    assert isinstance(sample.attributes, ImageSampleAttributes)
    assert sample.attributes.image.url == "https://example.com/image.png"
    assert sample.dataset == "jane/cats"


def test_documented_label():
    label = documented("GET /labels/:sample_uuid/:labelset")
    assert isinstance(label, Label)
    assert isinstance(label.attributes, ImageSegmentationLabelAttributes)
    assert label.attributes.annotations[0].category_id == 0
    assert label.attributes.segmentation_bitmap.url.endswith(".png")


def test_documented_label_without_a_tag_is_known_by_its_shape():
    label = documented("PUT /labels/:sample_uuid/:labelset")
    assert label.label_type is None
    assert isinstance(label.attributes, ImageSegmentationLabelAttributes)


def test_documented_releases():
    assert documented("POST /datasets/:owner/:dataset/releases").status == "PENDING"
    release = documented("GET /datasets/:owner/:dataset/releases/:release_name")
    assert isinstance(release, Release)
    assert release.attributes.url.endswith(".json")
