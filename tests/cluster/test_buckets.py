"""Rows on their way through Ray's shuffle, whose blocks have different columns and types; without a cluster."""

from __future__ import annotations

from itertools import permutations
from uuid import UUID

import pytest

pytest.importorskip("ray.data", reason="ray is not installed in this environment")

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings, strategies as st
from ray.data.block import BlockAccessor

from segments_async.errors import InputError
from segments_async.ray.blocks import LabelRows
from segments_async.ray.buckets import packed, unpacked
from segments_async.tables import LABEL_SCHEMA, labels_table
from segments_async.tables.reading import JSON, values_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # of Ray's own defaults
BUCKETS = 16


def moved(*tables, column="sample_uuid"):
    """Return the rows of all blocks, each packed on its own."""
    return unpacked(pa.concat_tables([packed(table, column=column, buckets=BUCKETS) for table in tables]))


def of_ray(values):
    """A column as Ray makes it of what a function returns; only in a test, as it warns."""
    return lambda: BlockAccessor.batch_to_arrow_block({"value": values}).column("value")


def column_of(source):
    return source() if callable(source) else source


def with_keys(column):
    return pa.table({"sample_uuid": ["a"] * len(column), "value": column})


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "", None]), max_size=8), max_size=4))
@settings(max_examples=30)
def test_no_row_is_lost_and_no_key_is_divided(blocks):
    first = 0
    sent = []
    for keys in blocks:
        numbers = range(first, first := first + len(keys))
        sent.append(pa.table({"sample_uuid": pa.array(keys, pa.string()), "number": pa.array(numbers, pa.int64())}))
    tables = [packed(table, column="sample_uuid", buckets=BUCKETS) for table in sent]
    buckets = {}
    for table in tables:
        for row in table.to_pylist():
            for key in pa.ipc.open_stream(row["rows"]).read_all()["sample_uuid"].to_pylist():
                buckets.setdefault(key, set()).add(row["bucket"])
    assert all(len(found) == 1 for found in buckets.values())
    rows = unpacked(pa.concat_tables(tables)).to_pylist() if tables else []
    assert sorted(row["number"] for row in rows) == list(range(first))
    assert {row["number"]: row["sample_uuid"] for row in rows} == dict(
        enumerate(key for keys in blocks for key in keys)
    )


KEYS = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]
KINDS_OF_KEYS = {
    "string": pa.array(KEYS),
    "large": pa.array(KEYS, pa.large_string()),
    "view": pa.array(KEYS, pa.string_view()),
    "dictionary": pa.array(KEYS).dictionary_encode(),
    "run-ends": pc.run_end_encode(pa.array(KEYS)),
    "uuid": pa.array([UUID(key).bytes for key in KEYS], pa.uuid()),
    "objects": of_ray(np.array([UUID(key) for key in KEYS], object)),
}


@pytest.mark.parametrize("kinds", list(permutations(KINDS_OF_KEYS, 2)), ids="-".join)
def test_the_same_key_in_different_types(kinds):
    """Its rows come into one bucket, as different hashes of types would divide a label."""
    tables = [packed(pa.table({"k": column_of(KINDS_OF_KEYS[kind])}), column="k", buckets=BUCKETS) for kind in kinds]
    assert tables[0]["bucket"].to_pylist() == tables[1]["bucket"].to_pylist()
    keys = [str(key) for key in unpacked(pa.concat_tables(tables))["k"].to_pylist()]
    assert sorted(keys) == sorted(KEYS * 2)


COLUMNS = {
    "null": pa.nulls(1),
    "text": pa.array(["a"]),
    "bytes": pa.array([b"a"]),
    "integer": pa.array([2**53 + 1]),
    "number": pa.array([1.5]),
    "boolean": pa.array([True]),
    "struct": pa.array([{"a": 1}]),
    "list": pa.array([[1.5, 2.5]]),
    "lists": pa.array([[[1.5, 2.5]]]),
    "tensors": of_ray([np.full((3, 2), 1.5)] * 2),
    "ragged": of_ray([np.full((3, 2), 1.5), np.full((2, 2), 1.5)]),
}


@pytest.mark.parametrize("kinds", list(permutations(COLUMNS, 2)), ids="-".join)
def test_a_column_of_different_types(kinds):
    """Each value stays what it was."""
    columns = [column_of(COLUMNS[kind]) for kind in kinds]
    found = moved(*map(with_keys, columns))["value"]

    values = values_of(found, "value", 0)
    expected = [value for column in columns for value in values_of(column, "value", 0)]
    assert (values, list(map(type, values))) == (expected, list(map(type, expected)))


def test_structs_with_other_fields():
    found = moved(with_keys(pa.array([{"a": 1}])), with_keys(pa.array([{"b": "x"}])))["value"]
    assert found.to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]


def test_a_column_that_one_block_has():
    assert moved(with_keys(pa.array([1])), with_keys(pa.array([1])).drop_columns("value"))["value"].to_pylist() == [
        1,
        None,
    ]


def test_texts_of_json_stay_json():
    """The mark of their column is kept, also beside blocks without it."""
    empty = labels_table([])
    assert moved(empty).schema.names == []
    field = pa.field("value", pa.string(), metadata=JSON)
    marked = pa.Table.from_arrays(
        [["a"], ['{"x": 1}']], schema=pa.schema([pa.field("sample_uuid", pa.string()), field])
    )
    assert moved(with_keys(pa.nulls(1)), marked).schema.field("value").metadata == JSON
    mixed = moved(marked, with_keys(pa.array(["plain"])))["value"]
    assert mixed.to_pylist() == [{"x": 1}, "plain"]


def test_rows_without_the_column():
    """Of all blocks: the worker that writes says so. Of one block: they are rows without a sample."""
    table = pa.table({"other": [1, 2]})
    rows = LabelRows(labelset="a", columns=None, categories=None, uuids=None, score="same", max_failures=None)
    with pytest.raises(InputError, match=r"no column 'sample_uuid'.*other"):
        rows.items(moved(table, table))
    assert moved(table, with_keys(pa.array([1])))["sample_uuid"].to_pylist() == [None, None, "a"]


def test_no_rows():
    assert moved(pa.table({})).num_rows == moved(LABEL_SCHEMA.empty_table()).num_rows == 0
    assert unpacked(packed(pa.table({}), column="a", buckets=1)).num_rows == 0
