"""How much memory the sandbox needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FILL = """
import httpx
from segments_async.sandbox import Sandbox

with Sandbox() as sandbox:
    key = {"Authorization": f"APIKey {sandbox.api_key}"}
    with httpx.Client(base_url=sandbox.url, headers=key, timeout=60, trust_env=False) as api:
        api.post("/user/datasets/", json={"name": "flowers"})
        for first in range(0, 100_000, 1000):
            items = [
                {
                    "name": f"sample-{number:06}.jpg",
                    "attributes": {"image": {"url": f"https://example.com/bucket/sample-{number:06}.jpg"}},
                    "metadata": {"number": number, "city": "Leuven"},
                }
                for number in range(first, first + 1000)
            ]
            assert api.post("/datasets/sandbox/flowers/samples_bulk/", json=items).status_code == 201
        assert len(api.get("/datasets/sandbox/flowers/samples/?page=100").json()) == 1000
        status = open("/proc/self/status").read()
        print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process as Linux shows it")
def test_a_hundred_thousand_samples():
    done = subprocess.run([sys.executable, "-c", FILL], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500  # MB; 235 in 2026
