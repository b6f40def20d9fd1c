from __future__ import annotations

import os

import pytest
from flowers import Service

# Read when Ray is imported: its servers then listen on loopback only.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_raylet_start_wait_time_s"] = "120"  # noqa: SIM112 (Ray's own spelling)


@pytest.fixture
def service(sandbox, monkeypatch):
    """The environment of this process is that of a worker."""
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    service = Service(sandbox)
    service.create_dataset()
    return service
