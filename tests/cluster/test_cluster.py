"""A real cluster of two CPUs, on loopback only."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

pytest.importorskip("ray.data", reason="ray is not installed in this environment")

import pyarrow as pa
import ray
from flowers import DATASET

from segments_async import BulkError, NotFoundError, RetryPolicy
from segments_async.ray import (
    ClientOptions,
    RayLimiter,
    put_labels,
    read_release,
    read_samples,
    write_labels,
    write_samples,
    writing,
)
from segments_async.sandbox import Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # of Ray itself
]
OPTIONS = ClientOptions(max_connections=8, limiter=RayLimiter("segments"))


@pytest.fixture(scope="module")
def sandbox():
    """One service for the module, as the environment of workers does not change."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def cluster(sandbox):
    """Two CPUs. The workers of the cluster have the key in their environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTS_API_URL", sandbox.url)
        patch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        patch.setenv("PYTHONPATH", path)
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=200 * 2**20,
            _node_ip_address="127.0.0.1",
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()


@pytest.fixture
def service(cluster, sandbox, service):
    yield service
    sandbox.reset()


def sample_table(count):
    urls = [f"https://example.com/{number}.jpg" for number in range(count)]
    return pa.table({"name": [f"s{number:05}" for number in range(count)], "url": urls})


def predict(samples):
    """Two boxes for each sample, at both ends of the block."""
    uuids = pa.chunked_array([*samples.column("uuid").chunks, *samples.column("uuid").chunks])
    count = len(uuids)
    edges = {"x_min": [1.0] * count, "y_min": [1.0] * count, "x_max": [5.0] * count, "y_max": [5.0] * count}
    return pa.table({"sample_uuid": uuids, "category_id": [1] * count, "type": ["bbox"] * count, **edges})


def test_there_and_back(service):
    """Samples are created, read, and labelled; the labels are read from a release."""
    rows = ray.data.from_arrow(sample_table(60)).repartition(3)
    report = write_samples(rows, DATASET, options=OPTIONS)
    assert (report.counts, report.exhausted) == ({"created": 60}, True)
    assert len(service.samples()) == 60

    samples = read_samples(DATASET, per_page=20, options=OPTIONS)
    assert sorted(row["name"] for row in samples.select_columns(["name"]).take_all()) == service.samples()
    predictions = samples.map_batches(predict, batch_format="pyarrow").random_shuffle()
    report = write_labels(predictions, partitions=4, options=OPTIONS)
    report.raise_if_failed()
    assert report.counts == {"done": 60}
    assert report.retry_rows is None

    async def release(client):
        await client.releases.create(DATASET, "v1")
        await client.releases.wait(DATASET, "v1", poll=0.01)

    service.run(release)
    labels = read_release((DATASET, "v1"), shards=2, options=OPTIONS)
    assert labels.count() == 120


def test_failures(service):
    """Bad rows are outcomes; `on_error="raise"` stops the job; what can be tried again is a Dataset."""
    uuids = list(service.create_samples(20).values())
    good = predict(pa.table({"uuid": uuids}))
    bad = good.set_column(1, "category_id", pa.array([None, *[1] * 39]))
    rows = ray.data.from_arrow(bad).materialize()
    outcomes = put_labels(rows, partitions=2, options=OPTIONS).take_all()
    assert sorted(outcome["status"] for outcome in outcomes) == ["done"] * 19 + ["failed"]
    with pytest.raises(BulkError) as caught:
        write_labels(rows, partitions=2, on_error="raise", options=OPTIONS)
    assert caught.value.report.failed == 1
    assert "category" in str(caught.value.__cause__)

    service.sandbox.fail("PUT", f"/labels/{uuids[3]}/ground-truth/", status=503, times=50)
    few = ClientOptions(retry=RetryPolicy(attempts=1, bulk_attempts=1))
    report = write_labels(ray.data.from_arrow(good), partitions=2, options=few)
    assert (report.failed, report.counts["done"]) == (1, 19)
    assert {row["sample_uuid"] for row in report.retry_rows.take_all()} == {uuids[3]}


def test_errors_of_workers(service):
    """They arrive as what they are."""
    with pytest.raises(NotFoundError, match="404"):
        read_samples("sandbox/other", options=OPTIONS)
    samples = read_samples(DATASET, options=OPTIONS)
    service.sandbox.fail("GET", f"/datasets/{DATASET}/samples/", status=404, times=1)
    with pytest.raises(NotFoundError):
        samples.take_all()


class Deadly:
    """A step of the worker that writes, whose process ends at random."""

    def __init__(self, writer, chance):
        self.writer = writer
        self.chance = chance

    def __call__(self, table):
        if random.random() < self.chance / 2:
            os._exit(1)
        result = self.writer(table)
        if random.random() < self.chance / 2:
            os._exit(1)
        return result


def kill_and_compare(service, monkeypatch, count, rounds, chance):
    """Write samples and labels through 4 workers that are killed, before and after what they did."""

    class DeadlyWriter(writing.BlockWriter):
        def __call__(self, table):
            return Deadly(super().__call__, chance)(table)

    monkeypatch.setattr(writing, "BlockWriter", DeadlyWriter)
    for _ in range(rounds):
        service.sandbox.reset()
        service.create_dataset()
        rows = ray.data.from_arrow(sample_table(count)).repartition(16)
        report = write_samples(rows, DATASET, actors=4, options=OPTIONS)
        assert report.counts == {"created": count}
        uuids = service.run(lambda client: client.samples.uuids(DATASET))
        assert sorted(uuids) == sample_table(count).column("name").to_pylist()
        labels = ray.data.from_arrow(predict(pa.table({"uuid": list(uuids.values())})))
        report = write_labels(labels, partitions=16, actors=4, options=OPTIONS)
        assert report.counts == {"done": count}

        async def number_of_annotations(client):
            samples = await client.samples.list(DATASET, labelset="ground-truth", include_full_label=True)
            return [len(sample.label.attributes.annotations) for sample in samples]

        assert service.run(number_of_annotations) == [2] * count


@pytest.mark.full
def test_workers_that_are_killed(service, monkeypatch):
    kill_and_compare(service, monkeypatch, count=200, rounds=1, chance=0.3)


@pytest.mark.full
def test_workers_that_are_killed_often(service, monkeypatch):
    kill_and_compare(service, monkeypatch, count=20_000, rounds=20, chance=0.3)


@pytest.mark.parametrize("page", ["README.md", "docs/scale.md"])
def test_the_blocks_of_the_documentation(service, page, capfd):
    """They run as they stand, but on the sandbox's user."""
    service.create_samples(2)
    [block] = [block for block in _blocks(page) if "segments_async.ray" in block]
    exec(compile(block.replace("jane/flowers", DATASET), page, "exec"), {"__name__": "__main__"})

    assert "2 items: 2 done" in capfd.readouterr().out


def _blocks(page):
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
