from __future__ import annotations

import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from attrs import frozen
from waiting import wait_until

ROOT = Path(__file__).parents[2]


def png(red: int, width: int = 40, height: int = 30) -> bytes:
    """A plain image; each colour is a file of its own."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes((red, 120, 80)) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(name="png")
def _png() -> Callable[..., bytes]:
    return png


@frozen
class Demo:
    """The example as its one command started it."""

    url: str
    sandbox_url: str
    key: str

    def web(self) -> httpx.Client:
        """A client of the page's routes."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def service(self) -> httpx.Client:
        """A client of the sandbox, for what happens elsewhere."""
        headers = {"Authorization": f"APIKey {self.key}"}
        return httpx.Client(base_url=self.sandbox_url, headers=headers, trust_env=False, timeout=30)


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """``python -m examples.fastapi_app``, ended by Ctrl-C."""
    command = [sys.executable, "-m", "examples.fastapi_app", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(4)]
            assert lines[0].startswith("Open http://"), lines
            demo = Demo(lines[0].split()[1], lines[2].strip().split("=")[1], lines[3].strip().split("=")[1])
            yield demo
            with httpx.stream("GET", f"{demo.url}/events?after=0", trust_env=False):  # a page that is still open
                process.send_signal(signal.SIGINT)
                rest = process.communicate(timeout=20)[0]
            assert process.returncode == 0
            assert "ASGI" not in rest, rest  # so begins what uvicorn says of an application that failed
        finally:
            process.kill()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until a condition is true, by what another process does."""
    return wait_until
