"""Starting Ray on a busy machine."""

from __future__ import annotations

import ray


def started(start):
    """Call *start*; again if it fails, as a node that is not up within 30 seconds is given up."""
    for tries_left in (2, 1, 0):
        try:
            return start()
        except Exception:
            ray.shutdown()
            if not tries_left:
                raise
    raise AssertionError


def start_node(megabytes):
    """Start a node of two CPUs, with room for so many megabytes of objects."""
    ray.init(
        address="local",  # not a cluster that is running here
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=megabytes * 2**20,
        _node_ip_address="127.0.0.1",
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
