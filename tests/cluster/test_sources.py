"""The tasks that read, without a cluster."""

from __future__ import annotations

import pickle
import re

import pytest

pytest.importorskip("ray.data", reason="ray is not installed in this environment")

import pyarrow as pa
from attrs import evolve
from flowers import CATEGORIES, DATASET

from segments_async import RetryPolicy, ServerError
from segments_async.ray import ClientOptions, sources
from segments_async.ray.sources import PageSource, ReleaseShards, ReleaseSource, learn_list
from segments_async.resources.samples.page_range import SampleList
from segments_async.tables import LABEL_SCHEMA, SAMPLE_SCHEMA

SAMPLES = SampleList(dataset=DATASET, labelset=None, include_full_label=False, filters={}, per_page=10)


def read(source, parallelism=4):
    """All rows; each task is pickled on its way to a worker."""
    tasks = [pickle.loads(pickle.dumps(task.read_fn)) for task in source.get_read_tasks(parallelism)]
    return [pa.concat_tables(task()) for task in tasks]


def page_source(samples, **arguments):
    options = ClientOptions(**arguments)
    dataset, count, learned = learn_list(options, samples)
    return PageSource(options, learned, count, dataset)


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (10, [10]), (35, [10, 10, 10, 5]), (80, [20] * 4)])
def test_ranges_of_pages(service, count, sizes):
    service.create_samples(count)
    tables = read(page_source(SAMPLES))

    assert [table.num_rows for table in tables] == sizes
    assert {table.schema for table in tables} == {SAMPLE_SCHEMA}
    names = [name for table in tables for name in table.column("name").to_pylist()]
    assert sorted(names) == service.samples()


def test_a_count_that_is_too_low(service):
    """The last range is open."""
    service.create_samples(50)
    dataset, _, learned = learn_list(ClientOptions(), SAMPLES)

    assert sum(table.num_rows for table in read(PageSource(ClientOptions(), learned, 25, dataset))) == 50


def test_filters(service):
    service.create_samples(30)
    samples = evolve(SAMPLES, filters={"name": "s2"})

    assert sum(table.num_rows for table in read(page_source(samples))) == 11


def put_boxes(service):
    async def put(client):
        uuids = await client.samples.uuids(DATASET)
        box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
        items = [
            {"sample_uuid": uuid, "attributes": {"annotations": [box, {**box, "id": 2}]}} for uuid in uuids.values()
        ]
        (await client.labels.put_many(items)).raise_if_failed()

    service.run(put)


def test_labels_of_a_dataset(service):
    service.create_samples(12)
    put_boxes(service)
    tables = read(page_source(evolve(SAMPLES, labelset="ground-truth", include_full_label=True)))

    assert [table.num_rows for table in tables] == [20, 4]
    assert {table.schema for table in tables} == {LABEL_SCHEMA}
    assert set(tables[0].column("category").to_pylist()) == {"rose"}


def test_a_page_that_is_too_heavy(service):
    """Its parts are read, also if it is not the first page of the list."""
    service.create_samples(80)
    source = page_source(evolve(SAMPLES, per_page=40))
    [_, second] = source.get_read_tasks(2)
    service.sandbox.fail("GET", f"/datasets/{DATASET}/samples/", status=504, times=3)

    assert sum(table.num_rows for table in second.read_fn()) == 40


@pytest.mark.parametrize("failures", [1, 3])
def test_a_page_after_passing_failures(service, monkeypatch, failures):
    """Asked for again after its client has given up; the pages before it are not."""
    service.create_samples(40)
    monkeypatch.setattr(sources, "WAITS", (0.0, 0.0))
    source = page_source(SAMPLES, retry=RetryPolicy(attempts=1))
    [task] = source.get_read_tasks(1)
    pages = task.read_fn()
    assert [next(pages).num_rows for _ in range(3)] == [0, 10, 10]
    service.sandbox.clear_calls()
    service.sandbox.fail("GET", f"/datasets/{DATASET}/samples/", status=503, times=failures)

    if failures == 3:
        with pytest.raises(ServerError, match="503"):
            next(pages)
    else:
        assert [table.num_rows for table in pages] == [10, 10]
        assert [re.findall(r"\bpage=(\d+)", call.query) for call in service.sandbox.calls] == [
            ["3"],
            ["3"],
            ["4"],
            ["5"],
        ]


@pytest.fixture
def release(service, tmp_path):
    service.create_samples(10)
    put_boxes(service)

    async def create(client):
        await client.releases.create(DATASET, "v1")
        return await client.releases.wait(DATASET, "v1", poll=0.01)

    release = service.run(create)
    shards = {"labelset": "ground-truth", "rows": "labels", "filters": {}, "cache": tmp_path / "cache"}
    return lambda source=release, name=None, **changes: ReleaseSource(
        ClientOptions(), ReleaseShards(**{"source": source, "name": name, **shards, **changes}), 3
    )


@pytest.mark.parametrize("named", [True, False])
def test_a_release_is_downloaded_once(service, release, named):
    """By the tasks of one node."""
    source = release(DATASET, "v1") if named else release()
    service.sandbox.clear_calls()
    tables = read(source)

    assert [table.num_rows for table in tables] == [8, 6, 6]
    assert {table.schema for table in tables} == {LABEL_SCHEMA}
    assert len({uuid for table in tables for uuid in table.column("sample_uuid").to_pylist()}) == 10
    downloads = [call for call in service.sandbox.calls if "release" in call.path and call.path.endswith(".json")]
    assert len(downloads) == 1


def test_a_release_on_disk_needs_no_key(service, release, tmp_path, monkeypatch):
    path = tmp_path / "v1.json"
    service.run(lambda client: client.releases.download(DATASET, "v1", path))
    monkeypatch.delenv("SEGMENTS_API_KEY")
    tables = read(release(path, rows="samples"))

    assert [table.num_rows for table in tables] == [4, 3, 3]
    assert CATEGORIES["categories"]
