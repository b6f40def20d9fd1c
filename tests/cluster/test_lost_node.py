"""A node whose workers write is lost in the middle."""

from __future__ import annotations

import time
from threading import Thread

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


class LostNode(Thread):
    """A node, killed after some calls of a method, and the node that comes instead of it."""

    def __init__(self, cluster, sandbox, method, calls):
        super().__init__(daemon=True)
        self.cluster, self.sandbox, self.method, self.calls = cluster, sandbox, method, calls
        self.node = cluster.add_node(**OF_WRITERS)
        sandbox.clear_calls()
        self.start()

    def run(self):
        while self.sent() < self.calls:
            time.sleep(0.01)
        self.cluster.remove_node(self.node, allow_graceful=False)
        self.sent_before = self.sent()
        self.node = self.cluster.add_node(**OF_WRITERS)

    def sent(self):
        return sum(call.method == self.method for call in self.sandbox.calls)


def test_a_node_that_is_lost(cluster, service):
    """What its workers did is repeated on another one: the effect is once, and so is the report."""
    names = [f"s{number:05}" for number in range(COUNT)]
    rows = ray.data.from_arrow(pa.table({"name": names, "url": ["https://example.com/a.jpg"] * COUNT}))
    lost = LostNode(cluster, service.sandbox, "POST", BLOCKS // 4)
    report = write_samples(rows.repartition(BLOCKS), DATASET, batch_size=COUNT // BLOCKS, **WRITERS)
    lost.join()
    assert lost.sent_before < BLOCKS
    assert (report.counts, report.exhausted) == ({"created": COUNT}, True)
    assert service.samples() == names
    cluster.remove_node(lost.node)

    uuids = list(service.run(lambda client: client.samples.uuids(DATASET)).values())
    lost = LostNode(cluster, service.sandbox, "PUT", COUNT // 4)
    report = write_labels(ray.data.from_arrow(two_boxes(uuids)), partitions=BLOCKS, **WRITERS)
    lost.join()
    assert lost.sent_before < COUNT
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
