"""Items of tables of pyarrow, pandas, polars and numpy, and the errors of tables that are not what they should be."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from segments_async import AsyncSegments, InputError, SampleCreate
from segments_async.errors import ClientStateError
from segments_async.tables import items_from_table

BOXES = {
    "sample_uuid": ["a", "b", "a"],
    "category_id": [1, 2, 3],
    "x_min": [1.5, 0, 2],
    "y_min": [1, 0, 2],
    "x_max": [3, 4, 5],
    "y_max": [3, 4, 5],
}
FORMS = {
    "pyarrow": pa.table,
    "numpy": lambda boxes: {name: np.array(values) for name, values in boxes.items()},
    "lists": dict,
    "pandas": pd.DataFrame,
    "pandas, nullable": lambda boxes: pd.DataFrame(boxes).convert_dtypes(),
    "pandas, categorical": lambda boxes: pd.DataFrame(boxes).astype({"sample_uuid": "category"}),
    "pandas, objects": lambda boxes: pd.DataFrame(boxes).astype(object),
    "pandas, index": lambda boxes: pd.DataFrame(boxes).set_index(["sample_uuid", "category_id"]),
    "polars": pl.DataFrame,
    "polars, categorical": lambda boxes: pl.DataFrame(boxes).with_columns(pl.col("sample_uuid").cast(pl.Categorical)),
    "chunked": lambda boxes: pa.concat_tables([pa.table(boxes).slice(0, 1), pa.table(boxes).slice(1)]),
    "dictionary": lambda boxes: pa.table({**boxes, "sample_uuid": pa.array(boxes["sample_uuid"]).dictionary_encode()}),
    "views": lambda boxes: pa.table(boxes).set_column(
        0, "sample_uuid", pa.array(boxes["sample_uuid"], pa.string_view())
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_row_a_box_one_label_an_image(form):
    """In whatever library the boxes are, and though the rows of a label do not follow each other."""
    items = items_from_table(FORMS[form](BOXES), items="labels")
    assert len(items) == 2
    assert {item.sample_uuid: item.attributes["annotations"] for item in items} == {
        "a": [
            {"id": 1, "category_id": 1, "type": "bbox", "points": [[1.5, 1], [3, 3]]},
            {"id": 2, "category_id": 3, "type": "bbox", "points": [[2, 2], [5, 5]]},
        ],
        "b": [{"id": 1, "category_id": 2, "type": "bbox", "points": [[0, 0], [4, 4]]}],
    }
    assert len(list(items)) == 2, "they can be iterated over again"


def test_streams_are_read_once_and_in_order():
    table = pa.table(BOXES).take([0, 2, 1])
    items = items_from_table(table.to_reader(1))
    assert [len(item.attributes["annotations"]) for item in items] == [2, 1]
    with pytest.raises(ClientStateError):
        list(items)
    with pytest.raises(TypeError):
        len(items)
    with pytest.raises(InputError, match="sort a stream"):
        list(items_from_table(pa.table(BOXES).to_reader(1)))


def test_rows_without_an_annotation_are_empty_labels():
    """As a left join makes them."""
    frame = pd.DataFrame({"sample_uuid": ["a", "b"], "category_id": [1, None], "x_min": [0, None], "y_min": [0, None],
                          "width": [2, None], "height": [3, None]})  # fmt: skip
    first, second = items_from_table(frame)
    assert first.attributes["annotations"][0]["points"] == [[0, 0], [2, 3]]
    assert second.attributes == {"annotations": []}


EMPTY = [
    pa.table({"sample_uuid": pa.array([], pa.string())}),
    pd.DataFrame({"sample_uuid": []}),
    pl.DataFrame({"sample_uuid": []}),
    pa.table({"sample_uuid": pa.array([], pa.string())}).to_reader(),
    {"sample_uuid": []},
]


@pytest.mark.parametrize("table", EMPTY, ids=lambda table: type(table).__name__)
def test_tables_without_rows(table):
    assert list(items_from_table(table)) == []


def of(**columns):
    return pa.table({**{name: values[:1] for name, values in BOXES.items()}, **columns})


WRONG_TABLES = {
    "no table": (7, "expected a table"),
    "text": ("labels.parquet", "expected a table"),
    "rows": ([{"sample_uuid": "a"}], "expected a table"),
    "lazy": (pl.LazyFrame(BOXES), "collect"),
    "no sample": (pa.table({"category_id": [1], "sample_name": ["a"]}), "no column 'sample_uuid'"),
    "mistyped": (of(trak_id=[1]), "did you mean 'track_id'"),
    "twice": (
        pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["sample_uuid", "sample_uuid"]),
        "more than once",
    ),
    "twice in pandas": (pd.DataFrame([["a", "b"]], columns=["sample_uuid", "sample_uuid"]), "more than once"),
    "lengths": ({"sample_uuid": ["a"], "category_id": [1, 2]}, "different lengths"),
}


@pytest.mark.parametrize(("table", "message"), WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_wrong_tables_are_refused_at_once(table, message):
    with pytest.raises(InputError, match=message):
        items_from_table(table)


WRONG_ROWS = {
    "null sample": (of(sample_uuid=pa.array([None], pa.string())), "table[0].sample_uuid: no sample"),
    "no category": (of(category_id=pa.array([None], pa.int64())), "table[0].category_id: no category"),
    "unknown name": (of(category_id=pa.array([None], pa.int64()), category=["rose"]), "pass categories="),
    "fraction": (of(category_id=[1.5]), "table[0].category_id: expected an integer, got 1.5"),
    "inexact": (of(id=[2.0**60]), "table[0].id: 1.152921504606847e+18 is a float"),
    "text": (of(category_id=["1"]), "table[0].category_id: expected an integer, got str"),
    "bool": (of(category_id=[True]), "table[0].category_id: expected an integer, got bool"),
    "NaN": (of(x_min=[float("nan")]), "table[0].x_min: expected a number, got nan"),
    "half a box": (of(x_max=pa.array([None], pa.float64())), "a box needs x_max too"),
    "turned box": (of(x_min=[9]), "x_min 9 is greater than x_max 3"),
    "both": (of(points=[[[1.0, 2.0]]]), "either points or edges"),
    "JSON": (of(attributes=["{"]), "table[0].attributes: not JSON"),
    "no object": (of(attributes=["[]"]), "table[0].attributes: expected an object, got list"),
    "huge frame": (of(frame=[1_700_000_000]), "table[0].frame: expected an index"),
    "negative frame": (of(frame=[-1]), "table[0].frame: expected an index"),
}


@pytest.mark.parametrize(("table", "message"), WRONG_ROWS.values(), ids=WRONG_ROWS)
def test_wrong_rows_name_row_and_column(table, message):
    with pytest.raises(InputError) as caught:
        list(items_from_table(table))
    assert message in str(caught.value)
    items = items_from_table(table, on_error="skip")
    assert list(items) == []
    assert len(items.skipped) == 1


def test_a_wrong_row_leaves_out_the_whole_label():
    """An incomplete label would overwrite a complete one."""
    table = pa.table({**BOXES, "x_min": [1.5, 0, float("nan")]})
    items = items_from_table(table, on_error="skip")
    assert [item.sample_uuid for item in items] == ["b"]
    assert [error.path for error in items.skipped] == ["table[2].x_min"]


@pytest.mark.parametrize("kind", ["view", "run-ends", "nested"])
def test_types_that_arrow_cannot_sort(kind):
    """Also if the rows of a label are apart."""
    columns = {"sample_uuid": pa.array(["a", "b", "a"]), "attributes": pa.nulls(3)}
    if kind == "view":
        columns["sample_uuid"] = columns["sample_uuid"].cast(pa.string_view())
    elif kind == "run-ends":
        columns["sample_uuid"] = pc.run_end_encode(columns["sample_uuid"])
    else:
        kind = pa.struct([("colours", pa.list_(pa.string_view()))])
        columns["attributes"] = pa.array([{"colours": ["red"]}] * 3, kind)
    items = list(items_from_table(pa.table({**BOXES, **columns})))

    assert [(item.sample_uuid, len(item.attributes["annotations"])) for item in items] == [("a", 2), ("b", 1)]


@pytest.mark.parametrize("keys", [[None, None, "a"], [1, 2, 3]])
def test_each_row_without_a_sample_is_skipped(keys):
    """As nothing says which of them belong together."""
    items = items_from_table(pa.table({**BOXES, "sample_uuid": pa.array(keys)}), on_error="skip")
    wrong = [number for number, key in enumerate(keys) if not isinstance(key, str)]
    assert len(list(items)) == 3 - len(wrong)
    assert [error.path for error in items.skipped] == [f"table[{number}].sample_uuid" for number in wrong]


def test_scores_of_the_rows_of_a_label():
    table = pa.table({**BOXES, "score": [0.25, 0.5, 0.75]})
    with pytest.raises(InputError, match="a label has one score"):
        list(items_from_table(table))
    for score, expected in (("mean", 0.5), ("max", 0.75), ("min", 0.25)):
        assert [item.score for item in items_from_table(table, score=score)] == [expected, 0.5]


def test_integers_beyond_64_bits_and_nested_values_of_pandas():
    """As Python has them: no key of another row is added, no digit is lost."""
    frame = pd.DataFrame({
        "name": ["a", "b", "c"],
        "url": ["u"] * 3,
        "metadata": [{"big": 2**80}, {"nested": {"none": None, "list": [1, "x"]}}, None],
        "metadata.mixed": [1, "one", np.nan],
        "metadata.hash": [2**70, 1, None],
        "metadata.at": pd.to_datetime(["2024-01-01T00:00:00.123456Z", None, None]),
        "metadata.n": pd.array([1, None, 2**53 + 1], dtype="Int64"),
    })  # fmt: skip
    at = datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert [item.metadata for item in items_from_table(frame, items="samples")] == [
        {"big": 2**80, "mixed": 1, "hash": 2**70, "at": at, "n": 1},
        {"nested": {"none": None, "list": [1, "x"]}, "mixed": "one", "hash": 1},
        {"n": 2**53 + 1},
    ]


def test_structs_and_maps():
    struct = pl.from_arrow(pa.table({"name": ["a", "b"], "url": ["u", "v"], "metadata": [{"x": 1}, {"y": 2}]}))
    assert [item.metadata for item in items_from_table(struct)] == [{"x": 1}, {"y": 2}]
    kind = pa.map_(pa.string(), pa.int64())
    maps = pa.table({"name": ["a"], "url": ["u"], "metadata": pa.array([[("x", 1), ("y", None)]], kind)})
    assert [item.metadata for item in items_from_table(maps)] == [{"x": 1, "y": None}]


@pytest.mark.anyio
async def test_naive_times_fail_alone_and_zones_are_kept(client: AsyncSegments, sandbox):
    await client.datasets.create("flowers")
    times = [datetime(2024, 1, 1), datetime(2024, 7, 1, 12, tzinfo=UTC)]  # noqa: DTZ001 (the point)
    naive, aware = (pd.DataFrame({"name": [str(n)], "url": ["https://x.test"], "metadata.at": [time]})
                    for n, time in enumerate(times))  # fmt: skip
    report = await client.samples.create_many("sandbox/flowers", [*items_from_table(naive), *items_from_table(aware)])
    assert "samples[0].metadata.at: a time needs a zone" in str(report.failures[0].error)
    assert [sample["metadata"] for sample in sandbox.samples("sandbox/flowers")] == [{"at": "2024-07-01T12:00:00Z"}]


def test_wrong_arguments():
    for arguments in ({"items": "x"}, {"score": "sum"}, {"on_error": "x"}, {"columns": {"x_mni": "x_min"}},
                      {"columns": {"x_min": "nowhere"}}, {"categories": 7}):  # fmt: skip
        with pytest.raises(InputError):
            items_from_table(pa.table(BOXES), **arguments)


def test_sample_types():
    table = pa.table({"name": ["a"], "url": ["u"], "sample_type": ["pointcloud"]})
    assert list(items_from_table(table)) == [SampleCreate("a", {"pcd": {"url": "u", "type": "pcd"}})]
    with pytest.raises(InputError, match="no url, urls or attributes"):
        list(items_from_table(pa.table({"name": ["a"]})))
