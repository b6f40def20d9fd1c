"""A node that is lost in the middle of a write, and rows that do not fit into memory, on clusters of their own."""

from __future__ import annotations

import os
import time
from threading import Thread

import pytest

pytest.importorskip("ray.data", reason="ray is not installed in this environment")

import pyarrow as pa
import ray
from flowers import DATASET
from ray.cluster_utils import Cluster

from segments_async.ray import ClientOptions, RayLimiter, write_labels, write_samples

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("default")]  # of Ray itself
NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 100 * 2**20}
COUNT = 2_000
BLOCKS = 20


@pytest.fixture
def two_nodes(service, monkeypatch):
    """The driver is on the first one. Ray notices after half a minute that the other one is lost."""
    monkeypatch.setenv("RAY_health_check_failure_threshold", "10")
    cluster = Cluster()
    cluster.add_node(**NODE, include_dashboard=False)
    ray.init(address=cluster.address, _node_ip_address="127.0.0.1", log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def small_store(service):
    """A node with room for 80 MB of objects."""
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=80 * 2**20,
        _node_ip_address="127.0.0.1",
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def samples(numbers, padding=0):
    names = [f"s{number:05}" for number in numbers]
    urls = ["https://example.com/a.jpg"] * len(names)
    return pa.table({"name": names, "url": urls, "padding": [os.urandom(padding) for _ in names]})


def two_boxes(uuids, padding=0):
    """Two boxes for each sample, at both ends of the table."""
    count = 2 * len(uuids)
    edges = {"x_min": [1.0] * count, "y_min": [1.0] * count, "x_max": [5.0] * count, "y_max": [5.0] * count}
    rows = {"sample_uuid": [*uuids, *uuids], "category_id": [1] * count, "type": ["bbox"] * count, **edges}
    return pa.table({**rows, "padding": [os.urandom(padding) for _ in range(count)]})


async def stored(client):
    rows = await client.samples.list(DATASET, labelset="ground-truth", include_full_label=True)
    return sorted((row.name, len(row.label.attributes.annotations)) for row in rows)


def lose_a_node(cluster, service, method):
    """Add a node, and kill it once a quarter of the blocks was sent."""
    node = cluster.add_node(**NODE)
    service.sandbox.clear_calls()
    of_a_quarter = BLOCKS // 4 if method == "POST" else COUNT // 4

    def kill():
        while sum(call.method == method for call in service.sandbox.calls) < of_a_quarter:
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)

    thread = Thread(target=kill)
    thread.start()
    return thread


def test_a_node_that_is_lost(two_nodes, service):
    """Its workers are started elsewhere, and what they did is repeated: the effect is once, and so is the report."""
    options = ClientOptions(max_connections=4, limiter=RayLimiter("segments"))
    spread = {"options": options, "actors": 4, "scheduling_strategy": "SPREAD"}
    thread = lose_a_node(two_nodes, service, "POST")
    rows = ray.data.from_arrow(samples(range(COUNT))).repartition(BLOCKS)
    report = write_samples(rows, DATASET, batch_size=COUNT // BLOCKS, **spread)
    thread.join()
    assert (report.counts, report.exhausted) == ({"created": COUNT}, True)

    uuids = service.run(lambda client: client.samples.uuids(DATASET))
    thread = lose_a_node(two_nodes, service, "PUT")
    report = write_labels(ray.data.from_arrow(two_boxes(list(uuids.values()))), partitions=BLOCKS, **spread)
    thread.join()
    assert (report.counts, report.exhausted) == ({"done": COUNT}, True)
    assert service.run(stored) == [(f"s{number:05}", 2) for number in range(COUNT)]


def test_more_rows_than_memory(small_store, service):
    """They are spilled to the disk: 120 MB of samples, and 240 MB of labels that are shuffled."""
    options = ClientOptions(max_connections=8)
    rows = ray.data.range(COUNT, override_num_blocks=BLOCKS).map_batches(
        lambda batch: samples(batch["id"].to_pylist(), 60_000), batch_format="pyarrow", batch_size=None
    )
    report = write_samples(rows, DATASET, options=options)
    assert (report.counts, report.exhausted) == ({"created": COUNT}, True)

    uuids = list(service.run(lambda client: client.samples.uuids(DATASET)).values())
    rows = ray.data.range(COUNT, override_num_blocks=BLOCKS).map_batches(
        lambda batch: two_boxes([uuids[number] for number in batch["id"].to_pylist()], 60_000),
        batch_format="pyarrow",
        batch_size=None,
    )
    report = write_labels(rows, partitions=BLOCKS, options=options)
    assert (report.counts, report.exhausted) == ({"done": COUNT}, True)
    assert service.run(stored) == [(f"s{number:05}", 2) for number in range(COUNT)]
