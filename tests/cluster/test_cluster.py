"""A real cluster of two CPUs, on loopback only."""

from __future__ import annotations

import os
import random
import re
import sys
from pathlib import Path
from threading import Timer

import pytest

pytest.importorskip("ray.data", reason="ray is not installed in this environment")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from flowers import DATASET
from ray.data.checkpoint import CheckpointConfig
from ray.data.expressions import col
from starting import start_node, started

from segments_async import AuthenticationError, BulkError, InputError, NotFoundError, RetryPolicy
from segments_async.ray import (
    ClientOptions,
    RayLimiter,
    create_samples,
    put_labels,
    read_release,
    read_samples,
    write_labels,
    write_samples,
    writing,
)
from segments_async.ray.blocks import BlockWriter
from segments_async.sandbox import Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # of Ray itself
]
OPTIONS = ClientOptions(max_connections=8, limiter=RayLimiter("segments"))
ONE_ATTEMPT = ClientOptions(retry=RetryPolicy(attempts=1, bulk_attempts=1))


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
        started(lambda: start_node(200))
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
    report = write_labels(ray.data.from_arrow(good), partitions=2, options=ONE_ATTEMPT)
    assert (report.failed, report.counts["done"]) == (1, 19)
    assert {row["sample_uuid"] for row in report.retry_rows.take_all()} == {uuids[3]}


def write_with_checkpoint(folder, column, key, write):
    """Write the rows of a folder as the guide says, with a checkpoint that goes by a column."""
    checkpoint = CheckpointConfig(column, str(folder / "checkpoint"), delete_checkpoint_on_success=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray.data.DataContext.get_current(), "checkpoint_config", checkpoint)
        outcomes = write(ray.data.read_parquet(str(folder / "rows")))
        done = outcomes.filter(expr=col("succeeded")).rename_columns({key: column})
        done.write_parquet(str(folder / "outcomes"))


def test_resuming(service, tmp_path):
    """With Ray's checkpoints, a second run puts the labels alone that the first one could not put."""
    uuids = list(service.create_samples(20).values())
    ray.data.from_arrow(predict(pa.table({"uuid": uuids}))).write_parquet(str(tmp_path / "rows"))
    service.sandbox.fail("PUT", f"/labels/{uuids[3]}/ground-truth/", status=503, times=1)
    for sent in (20, 1, 0):
        service.sandbox.clear_calls()
        write_with_checkpoint(
            tmp_path, "sample_uuid", "uuid", lambda rows: put_labels(rows, partitions=2, options=ONE_ATTEMPT)
        )
        assert sum(call.method == "PUT" for call in service.sandbox.calls) == sent
    assert service.run(annotations_of) == [2] * 20


def test_resuming_samples(service, tmp_path):
    """The same with samples, by their names: of four requests, one failed."""
    ray.data.from_arrow(sample_table(20)).write_parquet(str(tmp_path / "rows"))
    service.sandbox.fail("POST", f"/datasets/{DATASET}/samples_bulk/", status=503, times=1)
    for sent in (4, 1, 0):
        service.sandbox.clear_calls()
        write_with_checkpoint(
            tmp_path, "name", "key", lambda rows: create_samples(rows, DATASET, batch_size=5, options=ONE_ATTEMPT)
        )
        assert sum(call.method == "POST" for call in service.sandbox.calls) == sent
    assert service.samples() == sample_table(20).column("name").to_pylist()


async def annotations_of(client):
    samples = await client.samples.list(DATASET, labelset="ground-truth", include_full_label=True)
    return [len(sample.label.attributes.annotations) for sample in samples]


def test_nothing_to_write(service):
    """Neither no rows, nor no rows after a filter."""
    empty = ray.data.from_arrow(predict(pa.table({"uuid": pa.chunked_array([[]], pa.string())})))
    filtered = ray.data.from_arrow(predict(pa.table({"uuid": ["a"]}))).filter(lambda row: row["sample_uuid"] == "b")
    for rows in (empty, filtered):
        report = write_labels(rows, partitions=2, options=OPTIONS)
        assert (report.total, report.exhausted, report.retry_rows) == (0, True, None)
        assert put_labels(rows, partitions=2, options=OPTIONS).count() == 0
    report = write_samples(ray.data.from_arrow(sample_table(0)), DATASET, options=OPTIONS)
    assert (report.total, report.exhausted) == (0, True)


def test_arrays_from_a_model(service):
    """What a function returns in arrays of numpy, whatever their shapes, reaches the service."""
    uuids = list(service.create_samples(6).values())

    def polygons(batch):
        count = len(batch["uuid"])
        points = [np.arange(2.0 * corners).reshape(corners, 2) for corners in range(3, 3 + count)]
        kinds = {"category_id": np.ones(count, np.int32), "type": np.array(["polygon"] * count)}
        return {"sample_uuid": batch["uuid"], "points": points, **kinds}

    rows = ray.data.from_arrow(pa.table({"uuid": uuids})).map_batches(polygons, batch_format="numpy", batch_size=3)
    report = write_labels(rows, partitions=2, options=OPTIONS)
    report.raise_if_failed()
    assert report.counts == {"done": 6}


def test_a_key_in_the_environment_of_the_job(service):
    """It reaches what runs before the actors, too."""
    rows = ray.data.from_arrow(sample_table(3))
    options = ClientOptions(key_variable="KEY_OF_THE_JOB")
    with pytest.raises(AuthenticationError, match="KEY_OF_THE_JOB"):
        write_samples(rows, DATASET, options=options)
    runtime_env = {"env_vars": {"KEY_OF_THE_JOB": service.sandbox.api_key}}
    report = write_samples(rows, DATASET, options=options, actors=1, runtime_env=runtime_env)
    assert report.counts == {"created": 3}
    assert read_samples(DATASET, options=options, runtime_env=runtime_env).count() == 3


def test_without_a_key_no_row_is_dropped(service):
    """Also if Ray may drop the blocks of errors."""
    rows = ray.data.from_arrow(predict(pa.table({"uuid": ["a"]})))
    rows.context.max_errored_blocks = -1
    with pytest.raises(AuthenticationError, match="OTHER_KEY"):
        write_labels(rows, partitions=1, options=ClientOptions(key_variable="OTHER_KEY"))


def test_errors_of_workers(service):
    """They arrive as what they are."""
    with pytest.raises(NotFoundError, match="404"):
        read_samples("sandbox/other", options=OPTIONS)
    samples = read_samples(DATASET, options=OPTIONS)
    # More than once, as Ray repeats a task whose worker it lost, which it does by itself on a busy machine.
    service.sandbox.fail("GET", f"/datasets/{DATASET}/samples/", status=404, times=50)
    with pytest.raises(NotFoundError) as caught:
        samples.take_all()
    assert caught.value.status == 404
    rows = ray.data.from_arrow(predict(pa.table({"uuid": ["a"]})))
    with pytest.raises(AuthenticationError, match="OTHER_KEY"):
        put_labels(rows, partitions=1, options=ClientOptions(key_variable="OTHER_KEY")).take_all()
    with pytest.raises(InputError, match="sample_uuid"):
        write_labels(rows.rename_columns({"sample_uuid": "other"}), partitions=None, options=OPTIONS)


class Deadly(BlockWriter):
    """A worker that writes, and whose process is killed at random moments: before, while and after it writes."""

    kills: Path
    seconds: float
    """A timer starts with every second block; it ends the process after up to this time."""

    def __call__(self, table):
        if table.num_rows and random.random() < 0.5:
            Timer(random.uniform(0, self.seconds), self.kill).start()
        return super().__call__(table)

    def kill(self):
        with self.kills.open("a") as lines:
            lines.write(f"{os.getpid()}\n")
        os._exit(1)


def kill_and_compare(service, monkeypatch, folder, *, count, rounds, of_samples, of_labels):
    """Write samples and labels through 4 workers, each killed after at most *of_samples* or *of_labels* seconds."""
    kills = folder / "kills"

    def be_deadly(seconds):
        monkeypatch.setattr(writing, "BlockWriter", type("DeadlyHere", (Deadly,), {"kills": kills, "seconds": seconds}))

    names = sample_table(count).column("name").to_pylist()
    for _ in range(rounds):
        service.sandbox.reset()
        service.create_dataset()
        be_deadly(of_samples)
        rows = ray.data.from_arrow(sample_table(count)).repartition(16)
        report = write_samples(rows, DATASET, actors=4, batch_size=count // 16, options=OPTIONS)
        assert (report.counts, report.exhausted) == ({"created": count}, True)
        uuids = service.run(lambda client: client.samples.uuids(DATASET))
        be_deadly(of_labels)
        labels = ray.data.from_arrow(predict(pa.table({"uuid": list(uuids.values())}))).repartition(4)
        report = write_labels(labels, partitions=16, actors=4, options=OPTIONS)
        assert (report.counts, report.exhausted) == ({"done": count}, True)

        async def stored(client):
            samples = await client.samples.list(DATASET, labelset="ground-truth", include_full_label=True)
            return sorted((sample.name, len(sample.label.attributes.annotations)) for sample in samples)

        assert service.run(stored) == [(name, 2) for name in names]
        sys.stdout.write(f"{count} samples and labels, {len(kills.read_text().split())} kills so far\n")
    assert len(kills.read_text().split()) >= rounds


@pytest.mark.full
def test_workers_that_are_killed(service, monkeypatch, tmp_path):
    kill_and_compare(service, monkeypatch, tmp_path, count=208, rounds=1, of_samples=0.3, of_labels=0.3)


@pytest.mark.full
def test_workers_that_are_killed_often(service, monkeypatch, tmp_path):
    rounds = int(os.environ.get("KILL_ROUNDS", "20"))
    kill_and_compare(service, monkeypatch, tmp_path, count=20_000, rounds=rounds, of_samples=1.5, of_labels=8)


@pytest.mark.parametrize("page", ["README.md", "docs/scale.md"])
def test_the_blocks_of_the_documentation(service, page, capfd, tmp_path):
    """They run as they stand, but on the sandbox's user and in other folders."""
    uuids = service.create_samples(2).values()
    ray.data.from_arrow(predict(pa.table({"uuid": list(uuids)}))).write_parquet(str(tmp_path / "predictions"))
    blocks = [block for block in _blocks(page) if "segments_async.ray" in block]
    assert len(blocks) == {"README.md": 1, "docs/scale.md": 2}[page]
    values = {"__name__": "__main__"}
    try:
        for block in blocks:
            code = block.replace("jane/flowers", DATASET).replace("/mnt/cluster_storage", str(tmp_path))
            exec(compile(code, page, "exec"), values)
    finally:
        ray.data.DataContext.get_current().checkpoint_config = None

    assert "2 items: 2 done" in capfd.readouterr().out
    if page == "docs/scale.md":
        assert sum(len(pq.read_table(path)) for path in (tmp_path / "outcomes").glob("*.parquet")) == 2


def _blocks(page):
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
