"""Tables of lists, pages, streams and releases, on both event loops."""

from __future__ import annotations

import json
import tracemalloc

import pyarrow as pa
import pytest

from segments_async import InputError, Label, LabelPut, Sample, open_release, structure
from segments_async.models import LabelSummary
from segments_async.tables import (
    LABEL_SCHEMA,
    OUTCOME_COLUMNS,
    SAMPLE_SCHEMA,
    items_from_table,
    label_batches,
    labels_table,
    sample_batches,
    samples_table,
)

FLOWERS = "sandbox/flowers"
CATEGORIES = {"format_version": "0.1", "categories": [{"name": "rose", "id": 1}]}


def boxes(count):
    box = {"category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
    return {"annotations": [{"id": number + 1, **box} for number in range(count)]}


async def fill(client, count=7):
    await client.datasets.create("flowers", task_type="bboxes", task_attributes=CATEGORIES)
    items = [{"name": f"{n}.jpg", "attributes": {"image": {"url": "https://x.test"}}} for n in range(count)]
    created = await client.samples.create_many(FLOWERS, items)
    labels = [LabelPut(outcome.uuid, boxes(n)) for n, outcome in enumerate(created.results[1:])]
    return created, await client.labels.put_many(labels)


@pytest.mark.anyio
async def test_every_source_gives_the_same_rows(client, tmp_path):
    """A list, pages, fetching ahead, a report, a stream, a release; a label without annotations has a row."""
    created, put = await fill(client)
    uuids = [outcome.uuid for outcome in created.results]
    pages = client.samples.list(FLOWERS, labelset="ground-truth", include_full_label=True, per_page=3)
    await client.releases.create(FLOWERS, "v1")
    await client.releases.wait(FLOWERS, "v1", poll=0.01)
    path = await client.releases.download(FLOWERS, "v1", tmp_path / "v1.json")
    tables = [await labels_table(pages), labels_table(await pages)]
    async with pages.prefetch(2) as ahead:
        tables.append(await labels_table(ahead))
    tables.append(labels_table(await client.labels.get_many(uuids)))
    async with client.labels.stream_get(uuids) as outcomes:
        tables.append(await labels_table(outcomes))
    async with open_release(path) as release:
        tables += [await labels_table(release), await labels_table(release.samples()),
                   await labels_table(release, labelset="ground-truth")]  # fmt: skip
        assert (await samples_table(release)).num_rows == 7
        assert set(tables[-1]["category"].to_pylist()) == {"rose", None}
        with pytest.raises(InputError, match="no-such"):
            await labels_table(release, labelset="no-such")
    columns = ["sample_uuid", "annotation_index", "id", "x_min", "y_max"]
    keys = [(name, "ascending") for name in ("sample_uuid", "annotation_index")]
    first, *others = [table.select(columns).sort_by(keys) for table in tables]
    assert first.num_rows == 1 + sum(range(1, 6))
    assert [other.equals(first) for other in others] == [True] * len(others)
    assert {outcome.status for outcome in put.results} == {"done"}
    for source in (pages, await pages, created):
        rows = samples_table(source)
        rows = rows if isinstance(rows, pa.Table) else await rows
        assert sorted(rows["uuid"].to_pylist()) == sorted(uuids)


@pytest.mark.anyio
async def test_batches_have_the_rows_that_were_asked_for(client):
    await fill(client)
    pages = client.samples.list(FLOWERS, labelset="ground-truth", include_full_label=True, per_page=2)
    sizes = [batch.num_rows async for batch in label_batches(pages, rows=5)]
    assert sizes == [5, 5, 5, 1]
    assert [batch.num_rows async for batch in sample_batches(pages, rows=4)] == [4, 3]
    with pytest.raises(InputError, match="rows"):
        label_batches(pages, rows=0)


@pytest.mark.anyio
async def test_outcomes(client):
    """One row each; an error has its class, its text and its status."""
    _, put = await fill(client)
    report = await client.labels.put_many([LabelPut("of no sample", boxes(1)), {"sample_uuid": 7, "attributes": {}}])
    table = report.to_arrow()
    assert table.column_names == [column.name for column in OUTCOME_COLUMNS]
    assert table["status"].to_pylist() == ["failed", "failed"]
    assert table["error_type"].to_pylist() == ["NotFoundError", "InputError"]
    assert table["error_status"].to_pylist() == [404, None]
    assert put.to_arrow()["succeeded"].to_pylist() == [True] * 6
    assert labels_table(report).num_rows == 0


def test_nothing():
    assert labels_table([]).schema == LABEL_SCHEMA
    assert samples_table([]).schema == SAMPLE_SCHEMA
    assert list(label_batches(iter([]))) == []


def test_what_is_no_source_is_refused():
    for source in (7, "labels", b"", {}, Label(), Sample(uuid="u", name="n")):
        with pytest.raises(InputError, match="expected labels or samples"):
            labels_table(source)
    with pytest.raises(InputError, match=r"labels\[1\]: expected a label or a sample, got int"):
        labels_table([Label(), 7])
    summary = Sample(uuid="u", name="n", label=LabelSummary(label_status="LABELED"))
    with pytest.raises(InputError, match="include_full_label"):
        labels_table([summary])


def test_values_that_columns_cannot_have_are_in_extra():
    """Integers beyond 64 bits, coordinates beyond float64, times that are none, keys that are new."""
    big = 2**70
    annotation = {"id": big, "category_id": 1, "type": "polygon", "points": [[2**60 + 1, 0]], "smell": 3}
    label = structure(
        {"sample_uuid": "u", "created_at": "yesterday", "attributes": {"annotations": [annotation]}}, Label
    )
    [row] = labels_table([label]).to_pylist()
    assert (row["id"], row["points"], row["created_at"]) == (None, None, None)
    assert json.loads(row["extra"]) == {"id": big, "points": [[2**60 + 1, 0]], "smell": 3}
    assert json.loads(row["label_extra"])["created_at"] == "yesterday"
    [item] = items_from_table(labels_table([label]))
    assert item.attributes["annotations"] == [annotation]


def test_mixed_and_unknown_label_types():
    labels = [LabelPut("a", boxes(1)), LabelPut("b", {"hologram": [1, 2]}), LabelPut("c", {}), LabelPut("d", boxes(0))]
    table = labels_table(labels)
    assert table["annotation_index"].to_pylist() == [0, None, None, None]
    assert [item.attributes for item in items_from_table(table)] == [label.attributes for label in labels]


@pytest.mark.slow
def test_a_million_rows_need_the_memory_of_a_batch():
    def labels(count):
        return (LabelPut(f"u{number}", boxes(100)) for number in range(count))

    def peak(count):
        tracemalloc.start()
        try:
            rows = sum(batch.num_rows for batch in label_batches(labels(count)))
            return rows, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    rows, small = peak(300)
    assert rows == 30_000
    rows, large = peak(3_000)
    assert rows == 300_000
    assert large < small * 1.2
