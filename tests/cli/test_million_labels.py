"""Standard input of any length needs the memory of a short one."""

from __future__ import annotations

import subprocess
import sys

import pytest

WRITER = """
import sys
line = '{"sample_uuid": "00000000-0000-4000-8000-%012d", "attributes": {"annotations": []}}'
for number in range(int(sys.argv[1])):
    print(line % number)
"""
MEASURE = """
from segments_async.cli import main
status = main(["labels", "put", "-", "--quiet"])
with open("/proc/self/status") as lines:  # ru_maxrss would include the parent, which the process is forked from
    [peak] = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
print(status, peak // 1024)
"""
SERVER = r"""
import asyncio

BODY = b'{"sample_uuid": "00000000-0000-4000-8000-000000000000", "labelset": "ground-truth", "attributes": {}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)

class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.received = b""

    def data_received(self, data):
        self.received += data
        while True:
            head, end, rest = self.received.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if not end or len(rest) < length:
                return
            assert head.startswith(b"PUT /labels/"), head
            self.received = rest[length:]
            self.transport.write(ANSWER)

async def main():
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
"""It answers at once: with the sandbox, a million labels take four times as long."""


def peak_megabytes(lines):
    with subprocess.Popen([sys.executable, "-c", WRITER, str(lines)], stdout=subprocess.PIPE) as writer:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE], stdin=writer.stdout, capture_output=True, text=True, check=True
        )
    status, megabytes = map(int, done.stdout.split())
    assert (status, done.stderr) == (0, f"{lines:,} done\n")
    return megabytes


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_million_labels(monkeypatch):
    """Within 40 MB of what ten thousand need."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            monkeypatch.setenv("SEGMENTS_API_URL", f"http://127.0.0.1:{int(server.stdout.readline())}")
            monkeypatch.setenv("SEGMENTS_API_KEY", "any")
            few = peak_megabytes(10_000)
            many = peak_megabytes(1_000_000)
        finally:
            server.terminate()
    assert many <= few + 40, f"10,000 labels: {few} MB; 1,000,000: {many} MB"
