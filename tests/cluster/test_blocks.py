"""What workers do with a block, without a cluster."""

from __future__ import annotations

import pickle
from collections import Counter
from datetime import UTC, datetime, timedelta
from socket import gethostname
from uuid import UUID

import pytest

pytest.importorskip("ray.data", reason="ray is not installed in this environment")

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from attrs import evolve
from flowers import DATASET
from ray.data.block import BlockAccessor

from segments_async import AuthenticationError, InputError, NotFoundError, RetryPolicy
from segments_async.ray import ClientOptions, DistributedReport, report
from segments_async.ray.blocks import BlockWriter, LabelRows, SampleRows
from segments_async.ray.writing import time_of_service
from segments_async.tables import OUTCOME_COLUMNS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # of Ray's own defaults
SAMPLES = {"dataset": DATASET, "columns": None, "if_exists": "return", "since": None, "max_failures": None}
LABELS = {
    "labelset": "predictions",
    "columns": None,
    "categories": None,
    "uuids": None,
    "score": "same",
    "max_failures": None,
}


@pytest.fixture
def write(service):
    """``write(rows, table)``: write a block in this process."""
    writers = []

    def write(rows, table, *, counts_only=False):
        writers.append(BlockWriter(ClientOptions(), pickle.loads(pickle.dumps(rows)), counts_only))
        return writers[-1](table)

    yield write
    for writer in writers:
        writer.close()


def names(count):
    urls = [f"https://example.com/{number}.jpg" for number in range(count)]
    return pa.table({"name": [f"s{number}" for number in range(count)], "url": urls})


def boxes(uuids, **changes):
    count = len(uuids)
    edges = {"x_min": [1.0] * count, "y_min": [1.0] * count, "x_max": [5.0] * count, "y_max": [5.0] * count}
    return pa.table({"sample_uuid": uuids, "category_id": [1] * count, "type": ["bbox"] * count, **edges, **changes})


def result_of(table):
    return report.result_of(table.column("result")[0].as_py())


def test_a_block_that_is_repeated(service, write):
    """Each name once; what the first try has created is created, also for the second."""
    since = time_of_service(ClientOptions(), DATASET)
    rows = SampleRows(**{**SAMPLES, "since": since})
    first, second = (write(rows, names(20)) for _ in range(2))

    assert first.column("status").to_pylist() == second.column("status").to_pylist() == ["created"] * 20
    assert first.column_names == [column.name for column in OUTCOME_COLUMNS]
    assert len(service.samples()) == 20


def test_samples_of_earlier_runs_exist(service, write):
    service.create_samples(2)
    since = datetime.now(UTC) + timedelta(seconds=10)

    assert write(SampleRows(**{**SAMPLES, "since": since}), names(2)).column("status").to_pylist() == ["existing"] * 2


def test_rows_that_are_not_valid_are_outcomes(service, write):
    uuids = list(service.create_samples(3).values())
    table = boxes(uuids, category_id=pa.array([1, None, 1]))
    outcomes = write(LabelRows(**LABELS), table).to_pylist()

    by_key = {outcome["key"]: outcome for outcome in outcomes}
    assert [outcome["status"] for outcome in outcomes] == ["done", "done", "failed"]
    assert by_key[uuids[1]]["error_type"] == "InputError"
    assert "table[1]" in by_key[uuids[1]]["error"]


def test_the_rows_to_retry(service, write):
    """What the service could not do for a while is in the report, with its rows."""
    uuids = list(service.create_samples(3).values())
    path = f"/labels/{uuids[1]}/predictions/"
    service.sandbox.fail("PUT", path, status=503, times=100)
    result = result_of(_with_few_tries(boxes([*uuids, uuids[1]]), LabelRows(**LABELS)))

    assert result.counted == {"done": 2}
    [outcome] = result.outcomes
    assert outcome.error.status == 503
    assert result.retry_rows.column("sample_uuid").to_pylist() == [uuids[1]] * 2


def _with_few_tries(table, rows):
    writer = BlockWriter(ClientOptions(retry=RetryPolicy(attempts=1, bulk_attempts=1)), rows, counts_only=True)
    try:
        return writer(table)
    finally:
        writer.close()


@pytest.mark.parametrize("kind", ["samples", "labels"])
def test_a_stop_leaves_no_row_out(service, monkeypatch, kind):
    """What a worker took of a block and did not send is unsent, and among the rows to retry."""
    uuids = list(service.create_samples(60).values())
    table = boxes(uuids) if kind == "labels" else names(5_000)
    rows = LabelRows(**LABELS) if kind == "labels" else SampleRows(**SAMPLES)
    monkeypatch.setenv("SEGMENTS_API_KEY", "wrong")
    result = result_of(_with_few_tries(table, rows))

    assert result.stopped == "fatal"
    assert {outcome.status for outcome in result.outcomes} == {"failed", "unsent"}
    assert sorted(outcome.index for outcome in result.outcomes) == list(range(table.num_rows))
    assert result.retry_rows.equals(table)
    keys = {outcome.key for outcome in result.outcomes}
    assert keys == ({f"{uuid}/predictions" for uuid in uuids} if kind == "labels" else set(table["name"].to_pylist()))


def test_the_block_stops_at_the_limit_of_the_job(service, write):
    unknown = [str(UUID(int=number)) for number in range(100)]
    result = result_of(write(LabelRows(**{**LABELS, "max_failures": 2}), boxes(unknown), counts_only=True))

    statuses = Counter(outcome.status for outcome in result.outcomes)
    assert result.stopped == "max_failures"
    assert statuses.total() == 100
    assert statuses["unsent"] == result.retry_rows.num_rows > 50


def test_failures_that_the_report_would_drop_are_counted(service, write, monkeypatch):
    """They are not sent to the driver."""
    monkeypatch.setattr(report, "MAX_KEPT_FAILURES", 2)
    table = boxes([str(UUID(int=number)) for number in range(5)], category_id=pa.nulls(5))
    result = result_of(write(LabelRows(**LABELS), table, counts_only=True))
    merged = DistributedReport()
    merged.merge(result)

    assert (len(result.outcomes), result.counted) == (2, {"failed": 3})
    assert (merged.failed, merged.truncated) == (5, True)
    assert [outcome.key for outcome in merged.failures] == table["sample_uuid"].to_pylist()[:2]


NAN, POLYGON = float("nan"), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
BAD_LABELS = {
    "NaN": {"x_min": [1.0, NAN, 1.0]},
    "infinite": {"x_min": [1.0, float("inf"), 1.0]},
    "null": {"x_min": [1.0, None, 1.0]},
    "fraction": {"category_id": [1.0, 1.5, 1.0]},
    "no category": {"category_id": [1, None, 1]},
    "null point": {"points": [None, [*POLYGON, None], None]},
    "NaN in a point": {"points": [None, [[NAN, 1.0], *POLYGON], None]},
    "JSON": {"attributes": [None, "{", None]},
    "score": {"score": [None, NAN, 0.5]},
}


@pytest.mark.parametrize("changes", BAD_LABELS.values(), ids=BAD_LABELS)
def test_a_bad_row_of_labels(service, write, changes):
    """It is a failure of its label; the others are put."""
    uuids = list(service.create_samples(3).values())
    outcomes = write(LabelRows(**LABELS), boxes(uuids, **changes)).to_pylist()

    assert {outcome["key"].partition("/")[0]: outcome["status"] for outcome in outcomes} == {
        uuids[0]: "done",
        uuids[1]: "failed",
        uuids[2]: "done",
    }
    assert f"table[1].{next(iter(changes)).replace('x_min', '')}" in outcomes[2]["error"]


@pytest.mark.parametrize("value", [None, 5, b"u"], ids=["null", "integer", "bytes"])
def test_rows_without_a_sample(service, write, value):
    """Each is a failure, as nothing says which of them belong together."""
    bad = pa.array([value] * 3, pa.string() if value is None else None)
    outcomes = write(LabelRows(**LABELS), boxes(bad)).to_pylist()

    assert [outcome["status"] for outcome in outcomes] == ["failed"] * 3
    assert [outcome["error"].partition(".")[0] for outcome in outcomes] == ["table[0]", "table[1]", "table[2]"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metadata", [{"x": 1.0}, {"x": NAN}, None]),
        ("metadata", [None, {"x": b"\xff"}, None]),
        ("metadata", [None, {"x": datetime(2026, 1, 1)}, None]),  # noqa: DTZ001 (without a zone, on purpose)
        ("metadata", ["{}", "[1]", None]),
        ("priority", [1.0, NAN, None]),
        ("url", ["https://example.com/0.jpg", None, "https://example.com/2.jpg"]),
        ("name", ["s0", "s0", "s2"]),
    ],
)
def test_a_bad_row_of_samples(service, write, name, value):
    table = pa.table({**dict(zip(("name", "url"), names(3), strict=True)), name: value})
    outcomes = write(SampleRows(**SAMPLES), table).to_pylist()

    assert sorted(outcome["status"] for outcome in outcomes) == ["created", "created", "failed"]
    [failed] = [outcome for outcome in outcomes if not outcome["succeeded"]]
    assert failed["key"] == table["name"][1].as_py()
    assert failed["error_type"] == "InputError"
    assert len(service.samples()) == 2


KINDS_OF_TEXT = {
    "dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "large": lambda texts: pa.array(texts, pa.large_string()),
    "view": lambda texts: pa.array(texts, pa.string_view()),
    "run-ends": lambda texts: pc.run_end_encode(pa.array(texts)),
    "uuid": lambda texts: pa.array([UUID(text).bytes for text in texts], pa.uuid()),
    "chunks": lambda texts: pa.chunked_array([texts[:1], [], texts[1:]], pa.string()),
}


@pytest.mark.parametrize("kind", KINDS_OF_TEXT)
def test_uuids_in_other_types_of_arrow(service, write, kind):
    """They are read, and their rows are found again for a retry."""
    uuids = list(service.create_samples(3).values())
    table = boxes(KINDS_OF_TEXT[kind](uuids))
    assert write(LabelRows(**LABELS), table).column("status").to_pylist() == ["done"] * 3

    service.sandbox.fail("PUT", f"/labels/{uuids[1]}/predictions/", status=503, times=100)
    again = result_of(_with_few_tries(table, LabelRows(**LABELS))).retry_rows
    assert [str(uuid) for uuid in again["sample_uuid"].to_pylist()] == uuids[1:2]


@pytest.mark.parametrize("columns", [["sample_uuid", "sample_uuid"], ["other"], []])
def test_columns_that_no_row_can_have(service, write, columns):
    """They end the job, as they are the same in all blocks."""
    table = pa.Table.from_arrays([pa.array(["a"])] * len(columns), names=columns)
    table = table if columns else pa.table({"a": [1]}).select([])
    for counts_only in (False, True):
        with pytest.raises(InputError, match="sample_uuid"):
            result_of(write(LabelRows(**LABELS), table, counts_only=counts_only))


@pytest.mark.parametrize("kind", ["equal", "ragged", "objects"])
def test_rows_of_ray_to_retry(service, kind):
    """The columns that Ray has types of its own for can be selected."""
    values = [np.ones((3, 2)), np.ones((3 + (kind == "ragged"), 2)), np.ones((3, 2))]
    column = tensors([{1, 2}, {"x"}, None] if kind == "objects" else values)
    uuids = list(service.create_samples(3).values())
    service.sandbox.fail("PUT", f"/labels/{uuids[1]}/predictions/", status=503, times=100)
    again = result_of(_with_few_tries(boxes(uuids, other=column), LabelRows(**LABELS))).retry_rows

    assert again["sample_uuid"].to_pylist() == uuids[1:2]
    assert again["other"].type == column.type


def tensors(values):
    """A column of arrays as Ray makes it of what a function returns."""
    return BlockAccessor.for_block(BlockAccessor.batch_to_arrow_block({"points": values})).to_arrow().column("points")


@pytest.mark.parametrize("kind", ["equal", "ragged", "arrow"])
def test_points_in_arrays(service, write, kind):
    """Models return arrays of numpy, which Ray keeps as tensors."""
    corners = [np.array([[1.5, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[7, 8], [9, 10], [11, 12]], np.float32)]
    if kind == "ragged":
        corners[1] = corners[1][:2]
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack(corners)) if kind == "arrow" else tensors(corners)
    uuids = list(service.create_samples(2).values())
    table = pa.table({"sample_uuid": uuids, "category_id": [1, 1], "type": ["polygon"] * 2, "points": column})
    assert set(write(LabelRows(**LABELS), table).column("status").to_pylist()) == {"done"}

    async def points(client):
        labels = [await client.labels.get(uuid, "predictions") for uuid in uuids]
        return [label.attributes.annotations[0].points for label in labels]

    assert service.run(points) == [array.tolist() for array in corners]


def test_rows_as_ray_makes_them(service, write):
    """Dictionaries with other keys, columns without any value, and pickled objects."""
    rows = {
        "url": [f"https://example.com/{name}.jpg" for name in "abc"],
        "name": list("abc"),
        "metadata": [{"x": 1}, {"x": "one", "y": [1, 2]}, None],
        "readme": [None] * 3,
        "image": np.zeros((3, 2, 2), np.uint8),
    }
    block = BlockAccessor.for_block(BlockAccessor.batch_to_arrow_block(rows)).to_arrow()
    assert write(SampleRows(**SAMPLES), block).column("status").to_pylist() == ["created"] * 3
    samples = service.run(lambda client: client.samples.list(DATASET, sort="name"))
    assert [sample.metadata for sample in samples] == [{"x": 1}, {"x": "one", "y": [1, 2]}, {}]


def test_samples_found_by_name(service, write):
    uuids = service.create_samples(2)
    table = boxes(list(uuids.values())).drop_columns("sample_uuid").append_column("file", pa.array(list(uuids)))
    rows = LabelRows(**{**LABELS, "uuids": uuids, "columns": {"sample_name": "file"}})

    assert rows.key_column == "file"
    assert write(rows, table).column("uuid").to_pylist() == list(uuids.values())


def test_an_empty_block(service, write):
    assert write(LabelRows(**LABELS), boxes([])).num_rows == 0
    assert result_of(write(LabelRows(**LABELS), pa.table({}), counts_only=True)).outcomes == []


def test_a_missing_column_ends_the_job(service, write):
    with pytest.raises(InputError, match="sample_uuid"):
        write(LabelRows(**LABELS), pa.table({"other": [1]}))


def test_a_block_after_an_exception(service):
    """Processed again, as it is not about the rows."""
    tries = []

    class Rows(LabelRows):
        def items(self, table):
            tries.append(1)
            if len(tries) < 3:
                raise MemoryError
            return super().items(table)

    uuids = list(service.create_samples(1).values())
    writer = BlockWriter(ClientOptions(), Rows(**LABELS), counts_only=False)
    assert writer(boxes(uuids)).num_rows == 1
    writer.close()


def test_a_worker_without_a_key(service, monkeypatch):
    monkeypatch.delenv("SEGMENTS_API_KEY")
    for counts_only in (False, True):
        with pytest.raises(AuthenticationError, match=r"no API key on the worker .* set SEGMENTS_API_KEY"):
            result_of(BlockWriter(ClientOptions(), SampleRows(**SAMPLES), counts_only)(names(1)))


def test_another_variable(service, monkeypatch):
    options = ClientOptions(key_variable="OTHER_KEY")
    monkeypatch.setenv("OTHER_KEY", service.sandbox.api_key)
    monkeypatch.delenv("SEGMENTS_API_KEY")
    assert time_of_service(options, DATASET) is not None
    monkeypatch.setenv("OTHER_KEY", "wrong")
    with pytest.raises(AuthenticationError) as caught:
        time_of_service(options, DATASET)
    assert caught.value.__notes__ == [f"the key came from the environment variable OTHER_KEY of {gethostname()}"]


def test_no_such_dataset(service):
    with pytest.raises(NotFoundError):
        time_of_service(ClientOptions(), "sandbox/other")


def test_a_wrong_key_stops_the_job(service, monkeypatch):
    """The block reports what it has not sent; the job has to stop."""
    monkeypatch.setenv("SEGMENTS_API_KEY", "wrong")
    writer = BlockWriter(ClientOptions(), SampleRows(**SAMPLES), counts_only=True)
    merged = DistributedReport()
    result = result_of(writer(names(3)))
    writer.close()
    merged.merge(_without_rows(result))

    assert merged.must_stop(None)
    assert merged.stopped == "fatal"
    assert merged.failed >= 1
    assert merged.failed + merged.unsent == 3


def _without_rows(result):
    return evolve(result, retry_rows=None)  # they would be put into Ray's store


@pytest.mark.parametrize(("limit", "stops"), [(None, False), (2, False), (1, True), (0, True)])
def test_failures_of_several_blocks(service, write, limit, stops):
    """The limit holds for their sum."""
    uuids = list(service.create_samples(2).values())
    merged = DistributedReport()
    for uuid in uuids:
        block = write(LabelRows(**LABELS), boxes([uuid], category_id=pa.array([None], pa.int64())), counts_only=True)
        merged.merge(_without_rows(result_of(block)))

    assert merged.failed == 2
    assert merged.must_stop(limit) is stops
    assert [outcome.key for outcome in merged.failures] == uuids
