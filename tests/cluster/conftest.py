from __future__ import annotations

import os

import pytest
from flowers import Service

# Read when Ray is imported: its servers then listen on loopback only.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# A busy machine starts its processes slowly; by default Ray gives up within half a minute.
os.environ |= {
    "RAY_NUM_REDIS_GET_RETRIES": "120",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_gcs_server_request_timeout_seconds": "300",
    "RAY_health_check_failure_threshold": "60",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_worker_niceness": "0",  # by default 15, so that other processes starve them
    "RAY_worker_register_timeout_seconds": "300",
}


@pytest.fixture
def service(sandbox, monkeypatch):
    """The environment of this process is that of a worker."""
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    service = Service(sandbox)
    service.create_dataset()
    return service
