"""Standard input of any length needs the memory of a short one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SAMPLE = "00000000-0000-4000-8000-{:012}"
WRITER = """
import sys
line = '{"sample_uuid": "00000000-0000-4000-8000-%012d", "attributes": {"annotations": []}}'
for number in range(int(sys.argv[1])):
    print(line % number)
"""
MEASURE = """
import resource, sys
from segments_async.cli import main
status = main(["labels", "put", "-", "--quiet"])
print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_megabytes(lines):
    with subprocess.Popen([sys.executable, "-c", WRITER, str(lines)], stdout=subprocess.PIPE) as writer:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE], stdin=writer.stdout, capture_output=True, text=True, check=True
        )
    status, megabytes = map(int, done.stdout.split())
    assert status == 0, done.stderr
    return megabytes


@pytest.mark.full
def test_a_million_labels(command):
    """Within 40 MB of what ten thousand need."""
    answer = json.dumps({"sample_uuid": SAMPLE.format(0), "labelset": "ground-truth", "attributes": {}}).encode()
    command.sandbox.fail("PUT", "/labels/*", times=None, status=200, body=answer)
    try:
        few = peak_megabytes(10_000)
        many = peak_megabytes(1_000_000)
    finally:
        command.sandbox.clear_faults()
    assert many <= few + 40, f"10,000 labels: {few} MB; 1,000,000: {many} MB"
