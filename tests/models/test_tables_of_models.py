"""Tables of labels and samples of every kind, and the items that are made of them, lose nothing."""

from __future__ import annotations

import json
import random
from copy import deepcopy

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from payloads_of_every_kind import LABELS, SAMPLES
from strategies import LABEL_TYPES, anything, objects

from segments_async import structure, unstructure
from segments_async.models import Label, LabelPut, ReleaseSample, Sample, SampleCreate
from segments_async.tables import (
    LABEL_COLUMNS,
    LABEL_SCHEMA,
    SAMPLE_COLUMNS,
    SAMPLE_SCHEMA,
    items_from_table,
    labels_table,
    samples_table,
)

RARELY_SMALL = [HealthCheck.too_slow, HealthCheck.data_too_large]
PHASES = [Phase.explicit, Phase.generate]
SETTINGS = {"sample_uuid": "u", "labelset": "g", "label_status": "REVIEWED", "score": 0.25}


def plain(value):
    """As sent, with whole numbers as integers: a column of numbers does not know 1 from 1.0."""
    return json.dumps(whole(unstructure(value)), sort_keys=True)


def whole(value):
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def label_of(tag, attributes):
    return structure({**SETTINGS, "sample_uuid": tag, "label_type": tag, "attributes": attributes}, Label)


ALL_LABELS = [label_of(tag, attributes) for tag, attributes in LABELS.items()]
CATEGORIES = {2: "car"}


def shuffled(table):
    rows = list(range(table.num_rows))
    random.Random(7).shuffle(rows)
    return table.take(rows)


FORMS = {
    "table": lambda table: table,
    "shuffled": shuffled,
    "stream": lambda table: table.to_reader(2),
    "batches": lambda table: iter(table.to_batches(3)),
    "pandas": lambda table: table.to_pandas(),
    "pandas of Arrow": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "parts": lambda table: pl.from_arrow(table).to_arrow(),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_every_type_through_every_library(form):
    table = labels_table(ALL_LABELS, categories=CATEGORIES)
    assert set(table["category"].to_pylist()) == {"car"}
    items = list(items_from_table(FORMS[form](table)))
    assert {item.sample_uuid for item in items} == set(LABELS)
    for item in items:
        assert plain(item.attributes) == plain(LABELS[item.sample_uuid]), item.sample_uuid
        assert (item.labelset, item.label_status, item.score) == ("g", "REVIEWED", 0.25)


@pytest.mark.parametrize("form", FORMS)
def test_samples_of_every_type_through_every_library(form):
    metadata = {"big": 2**80, "none": None, "nested": {"a": [1, {"b": 0.5}]}}
    samples = [SampleCreate(name, data, metadata=metadata, priority=3) for name, data in SAMPLES.items()]
    table = samples_table(samples)
    assert table["sample_type"].to_pylist() == [
        *("image", "image-sequence", "pointcloud", "pointcloud-sequence", "multi-sensor")
    ]
    items = sorted(items_from_table(FORMS[form](table)), key=lambda item: list(SAMPLES).index(item.name))
    for item, sample in zip(items, samples, strict=True):
        assert plain(item) == plain(sample)


def test_rows_of_every_label_type():
    """How many rows, and which columns of a place and a shape they fill."""
    of_place = ("sensor_index", "frame", "bitmap_url", "point_annotations", "x_min", "points", "position_x")
    found = {}
    for label in ALL_LABELS:
        table = labels_table([label])
        filled = [name for name in of_place if table[name].null_count < table.num_rows]
        found[label.label_type] = (table.num_rows, *filled)
    assert found == {
        "segmentation-bitmap": (1, "bitmap_url"),
        "vector": (1, "x_min"),
        "image-segmentation-sequence": (2, "frame", "bitmap_url"),
        "image-vector-sequence": (2, "frame", "x_min"),
        "pointcloud-segmentation": (1, "point_annotations"),
        "pointcloud-cuboid": (2, "position_x"),
        "pointcloud-vector": (2, "points", "position_x"),
        "pointcloud-segmentation-sequence": (2, "frame", "point_annotations"),
        "pointcloud-cuboid-sequence": (2, "frame", "position_x"),
        "pointcloud-vector-sequence": (4, "frame", "points", "position_x"),
        "multisensor-sequence": (8, "sensor_index", "frame", "x_min", "points", "position_x"),
    }


KEPT = [
    column.name
    for column in LABEL_COLUMNS
    if column.name
    not in {
        *("label_type", "rating", "created_at", "created_by", "updated_at", "updated_by", "reviewed_at", "reviewed_by"),
        "sample_name",
    }
]
"""The columns that a label to put has."""


@pytest.mark.parametrize("examples", [20, pytest.param(1000, marks=pytest.mark.full)])
def test_any_label(examples):
    """Labels to a table and back are the same; and so is a table of the items of a table."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=RARELY_SMALL, phases=PHASES)
    @given(
        st.lists(st.sampled_from([*LABEL_TYPES]).flatmap(objects) | st.dictionaries(st.text(), anything), max_size=3)
    )
    def property_(wires):
        labels = [LabelPut(f"u{place}", wire, labelset="g", score=0.5) for place, wire in enumerate(wires)]
        before = deepcopy(labels)
        table = labels_table(labels)
        assert labels == before
        table.validate(full=True)
        assert table.schema == LABEL_SCHEMA
        items = list(items_from_table(table))
        assert [plain(item) for item in items] == [plain(label) for label in labels]
        assert labels_table(items).select(KEPT).equals(table.select(KEPT))

    property_()


@pytest.mark.parametrize("examples", [20, pytest.param(1000, marks=pytest.mark.full)])
def test_any_label_of_the_service(examples):
    """With all its keys, whatever they contain."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=RARELY_SMALL, phases=PHASES)
    @given(objects(Label))
    def property_(wire):
        wire = {**wire, "sample_uuid": "u"}
        table = labels_table([structure(wire, Label)])
        table.validate(full=True)
        [item] = items_from_table(table)
        if wire.get("attributes") is not None:
            assert plain(item.attributes) == plain(wire["attributes"])
        assert item.labelset == wire.get("labelset")
        assert item.score == wire.get("score")

    property_()


@pytest.mark.parametrize("examples", [20, pytest.param(1000, marks=pytest.mark.full)])
@pytest.mark.parametrize("model", [Sample, ReleaseSample])
def test_any_sample(model, examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=RARELY_SMALL, phases=PHASES)
    @given(st.lists(objects(model, 3), max_size=3))
    def property_(wires):
        samples = [structure(wire, model) for wire in wires]
        before = deepcopy(samples)
        table = samples_table(samples)
        assert samples == before
        table.validate(full=True)
        assert table.schema == SAMPLE_SCHEMA
        assert table.num_rows == len(samples)
        valid = [sample for sample in samples if sample.attributes]
        items = list(items_from_table(samples_table(valid)))
        for item, sample in zip(items, valid, strict=True):
            assert plain(item.attributes) == plain(sample.attributes)
            assert plain(item.metadata) == plain(sample.metadata)
            assert item.priority == getattr(sample, "priority", None)
        assert [column.name for column in SAMPLE_COLUMNS] == table.column_names

    property_()
