"""Property: reading any JSON of a known shape and writing it back changes nothing, wherever unknown keys are."""

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from strategies import LABEL_TYPES, MODELS, objects

from segments_async._serialization.compile import fields_of
from segments_async._serialization.converter import check, decode_json, encode_json, structure, unstructure
from segments_async.models import Label, LabelPut, Sample

RARELY_SMALL = [HealthCheck.too_slow, HealthCheck.data_too_large]


def text(value):
    """Equal for equal values of equal kinds: 1 is not 1.0, nor True."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("examples", [12, pytest.param(300, marks=pytest.mark.full)])
@pytest.mark.parametrize("model", MODELS)
def test_lossless(model, examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=RARELY_SMALL)
    @given(objects(model))
    def property_(wire):
        before = text(wire)
        read = structure(wire, model)
        assert text(unstructure(read)) == before
        assert text(decode_json(encode_json(read))) == before
        check(wire, model)
        assert text(wire) == before

    property_()


@pytest.mark.parametrize(("shape", "tags"), LABEL_TYPES.items())
def test_every_label_type_is_of_its_class_with_its_tag_and_passes_without(shape, tags):
    @settings(max_examples=12, deadline=None, suppress_health_check=RARELY_SMALL)
    @given(objects(shape), st.sampled_from(tags))
    def property_(wire, tag):
        before = text(wire)
        label = structure({"label_type": tag, "attributes": wire}, Label)
        assert type(label.attributes) is shape
        assert text(unstructure(label.attributes)) == before
        put = structure({"sample_uuid": "u", "attributes": wire}, LabelPut)
        assert text(unstructure(put.attributes)) == before
        assert len(list(label.annotations())) <= before.count('"id"')

    property_()


@settings(max_examples=50, deadline=None, suppress_health_check=RARELY_SMALL)
@given(objects(Sample, 2), st.sampled_from(sorted({a.name for a in fields_of(Sample)} - {"uuid", "name"})))
def test_only_the_null_of_an_optional_field_goes(wire, name):
    wire.pop(name, None)
    assert text(unstructure(structure({**wire, name: None}, Sample))) == text(wire)
