"""A node whose workers write is lost in the middle."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

pytest.importorskip("ray.data", reason="ray is not installed in this environment")

import pyarrow as pa
import ray
from flowers import DATASET
from ray.cluster_utils import Cluster
from starting import started

from segments_async.ray import ClientOptions, write_labels, write_samples

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("default")]  # of Ray itself
NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 100 * 2**20}
OF_WRITERS = {**NODE, "resources": {"writers": 4}}
COUNT = 2_000
BLOCKS = 20
WRITERS = {"actors": 4, "resources": {"writers": 1}, "options": ClientOptions(max_connections=4)}


def start_head():
    """Start a cluster with a node for the driver."""
    cluster = Cluster()
    try:
        cluster.add_node(**NODE, include_dashboard=False)
        ray.init(address=cluster.address, _node_ip_address="127.0.0.1", log_to_driver=False)
    except Exception:
        cluster.shutdown()
        raise
    ray.data.DataContext.get_current().enable_progress_bars = False
    return cluster


@pytest.fixture
def cluster(service, monkeypatch):
    """The driver is on the first node; only others have workers that write. A node is given up after 5 seconds."""
    monkeypatch.setenv("RAY_health_check_period_ms", "1000")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "5")
    cluster = started(start_head)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def lose_a_node(cluster, sandbox, method, calls, write):
    """Write on a node that is killed after some calls of a method, and is replaced; returns the report of the write."""

    def sent():
        return sum(call.method == method for call in sandbox.calls)

    node = cluster.add_node(**OF_WRITERS)
    sandbox.clear_calls()
    report = ThreadPoolExecutor(1).submit(write)  # as nodes are started from the main thread
    while sent() < calls:
        time.sleep(0.01)
    cluster.remove_node(node, allow_graceful=False)
    assert not report.done()
    other = cluster.add_node(**OF_WRITERS)
    try:
        return report.result(timeout=300)
    finally:
        cluster.remove_node(other, allow_graceful=False)


def test_a_node_that_is_lost(cluster, service):
    """What its workers did is repeated on another one: the effect is once, and so is the report."""
    names = [f"s{number:05}" for number in range(COUNT)]
    samples = ray.data.from_arrow(pa.table({"name": names, "url": ["https://example.com/a.jpg"] * COUNT}))
    write = partial(write_samples, samples.repartition(BLOCKS), DATASET, batch_size=COUNT // BLOCKS, **WRITERS)
    report = lose_a_node(cluster, service.sandbox, "POST", BLOCKS // 4, write)
    assert (report.counts, report.exhausted) == ({"created": COUNT}, True)
    assert service.samples() == names

    uuids = list(service.run(lambda client: client.samples.uuids(DATASET)).values())
    write = partial(write_labels, ray.data.from_arrow(two_boxes(uuids)), partitions=BLOCKS, **WRITERS)
    report = lose_a_node(cluster, service.sandbox, "PUT", COUNT // 4, write)
    assert (report.counts, report.exhausted) == ({"done": COUNT}, True)
    assert service.run(stored) == [(name, 2) for name in names]


def two_boxes(uuids):
    """Two boxes for each sample, at both ends of the table."""
    count = 2 * len(uuids)
    edges = {"x_min": [1.0] * count, "y_min": [1.0] * count, "x_max": [5.0] * count, "y_max": [5.0] * count}
    return pa.table({"sample_uuid": [*uuids, *uuids], "category_id": [1] * count, "type": ["bbox"] * count, **edges})


async def stored(client):
    samples = await client.samples.list(DATASET, labelset="ground-truth", include_full_label=True)
    return sorted((sample.name, len(sample.label.attributes.annotations)) for sample in samples)
