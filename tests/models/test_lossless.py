"""Property: reading any JSON of a known shape and writing it back changes nothing, wherever unknown keys are."""

import json
from datetime import UTC, datetime
from types import NoneType
from typing import Any, get_args, get_origin

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from segments_async import models
from segments_async._codegen import arms_of, fields_of, key_of
from segments_async._converter import decode_json, encode_json, structure, unstructure
from segments_async.models import Label, LabelPut, LabelSummary, Model, Sample, SampleCreate
from segments_async.models._base import CHOOSE

MODELS = [value for value in vars(models).values() if isinstance(value, type) and issubclass(value, Model)]
TELLING = {"annotations", "attributes", "image", "segmentation_bitmap"}
"""Keys that make an object one of the known shapes."""
VECTOR_TAGS = ["vector", "bboxes", "keypoints"]
BITMAP_TAGS = ["segmentation-bitmap", "segmentation-bitmap-highres"]

words = st.text(st.characters(codec="utf-8"), max_size=6)
keys = st.sampled_from(["extra", "camelCase", "self", "get", "key", ""]) | words
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=5,
)
times = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.isoformat().replace("+00:00", "Z")) | words
PLAIN = {str: words, int: st.integers(-(2**63), 2**64 - 1), float: numbers, bool: st.booleans(), datetime: times}


def json_of(kind: Any, depth: int = 2) -> st.SearchStrategy[Any]:
    """JSON of a field's type; nulls are left out, as those of optional fields may go."""
    if kind is Any:
        return anything
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) is list:
        return st.lists(json_of(get_args(kind)[0], depth), max_size=2) if depth else st.just([])
    if isinstance(kind, type) and issubclass(kind, Model):
        return objects(kind, depth)
    if arms_of(kind) != {kind}:
        return st.one_of(*(json_of(arm, depth) for arm in sorted(arms_of(kind) - {NoneType}, key=str)))
    return st.dictionaries(keys.filter(lambda key: key not in TELLING), json_of(get_args(kind)[1], depth), max_size=2)


@st.composite
def objects(draw, model, depth=2):
    """An object of a model: its fields, and keys nobody has heard of."""
    known = {key_of(a) for a in fields_of(model)}
    wire = draw(st.dictionaries(keys.filter(lambda key: key not in known | TELLING), anything, max_size=2))
    for a in fields_of(model):
        if a.default is attrs.NOTHING or draw(st.booleans()):
            wire[key_of(a)] = draw(chosen(model, a.name, depth) if CHOOSE in a.metadata else json_of(a.type, depth - 1))
    if model is Label and isinstance(wire.get("attributes"), dict):
        fitting = BITMAP_TAGS if "segmentation_bitmap" in wire["attributes"] else VECTOR_TAGS
        wire["label_type"] = draw(st.sampled_from([*fitting, "hologram", ""]))
    return wire


def chosen(model, name, depth):
    """JSON of a field whose class a tag or its shape chooses."""
    if name == "label":
        return objects(Label, depth - 1) | objects(LabelSummary, depth - 1)
    if model in (Sample, SampleCreate):
        return objects(models.ImageSampleAttributes, depth) | json_of(dict[str, Any])
    assert model in (Label, LabelPut)
    known = objects(models.ImageVectorLabelAttributes, depth) | objects(models.ImageSegmentationLabelAttributes, depth)
    return known | json_of(dict[str, Any]) | st.just([])


def text(value):
    """Equal for equal values of equal kinds: 1 is not 1.0, nor True."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("model", MODELS)
def test_lossless(model):
    @settings(max_examples=25, deadline=None)
    @given(objects(model))
    def property_(wire):
        before = text(wire)
        read = structure(wire, model)
        assert text(unstructure(read)) == before
        assert text(decode_json(encode_json(read))) == before
        assert text(wire) == before

    property_()


@settings(max_examples=50, deadline=None)
@given(objects(Sample), st.sampled_from(sorted({a.name for a in fields_of(Sample)} - {"uuid", "name"})))
def test_only_the_null_of_an_optional_field_goes(wire, name):
    wire.pop(name, None)
    assert text(unstructure(structure({**wire, name: None}, Sample))) == text(wire)
