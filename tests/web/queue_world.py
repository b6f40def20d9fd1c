"""Web processes and workers of `queue_application.py`, over one Redis, and the sandbox they upload to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
import httpx
import redis
from waiting import wait_until

from segments_async import AsyncSegments

if TYPE_CHECKING:
    from segments_async.sandbox import Sandbox

HERE = Path(__file__).parent
TAKEOVER = 8.0
"""Seconds; a worker on a busy machine must not be taken for dead."""


class QueueWorld:
    """
    The processes of one queue.

    Args:
        sandbox: The service.
        redis_url: The server of the queue.
    """

    def __init__(self, sandbox: Sandbox, redis_url: str) -> None:
        self.sandbox = sandbox
        self.name = uuid.uuid4().hex
        self.redis = redis.Redis.from_url(redis_url)
        self._environment = {
            **os.environ,
            "REDIS_URL": redis_url,
            "QUEUE_NAME": self.name,
            "TAKEOVER": str(TAKEOVER),
            "SEGMENTS_API_URL": sandbox.url,
            "SEGMENTS_API_KEY": sandbox.api_key,
            "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
        }
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.redis.close()

    def worker(self) -> subprocess.Popen[bytes]:
        """Start a worker by the queue's own command."""
        return self._start("saq", "queue_application.settings")

    def web(self) -> tuple[httpx.Client, subprocess.Popen[bytes]]:
        """Start a web process."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        options = ("--factory", "queue_application:make_app", "--port", str(port), "--log-level", "error")
        process = self._start("uvicorn", *options)
        web = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
        self._stack.callback(web.close)
        wait_until(lambda: process.poll() is not None or _answers(web))
        return web, process

    def samples(self, count: int) -> list[str]:
        """Make samples; returns their ids."""
        return anyio.run(_make_samples, self.sandbox, count)

    def puts(self) -> list[str]:
        """The paths of the labels that were sent, in the order in which they arrived."""
        return [call.path for call in self.sandbox.calls if call.method == "PUT"]

    def recorded(self) -> list[str]:
        """What the checkpoints of this queue have recorded."""
        keys = self.redis.keys(f"{self.name}:checkpoint:*:items")
        return [field.decode() for key in keys for field in self.redis.hkeys(key)]

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", *command], cwd=HERE, env=self._environment)
        self._stack.callback(_end, process)
        return process


async def _make_samples(sandbox: Sandbox, count: int) -> list[str]:
    samples = [
        {"name": f"{number}.png", "attributes": {"image": {"url": f"https://example.com/{number}.png"}}}
        for number in range(count)
    ]
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        await client.datasets.create("flowers")
        report = await client.samples.create_many("sandbox/flowers", samples)
    return [outcome.uuid for outcome in report.results]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(20)


def _answers(web: httpx.Client) -> bool:
    try:
        return web.get("/uploads/").status_code == 200
    except httpx.TransportError:
        return False


def begin(web: httpx.Client, kind: str, user: str = "jane", **arguments: Any) -> str:
    """Start an upload; returns its id."""
    answer = web.post(f"/begin/{kind}", json=arguments, headers={"X-User": user})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def status(web: httpx.Client, name: str) -> dict[str, Any]:
    """The status of an upload, as a web process sees it."""
    return web.get(f"/uploads/{name}").json()


def wait_for(web: httpx.Client, name: str, state: str) -> dict[str, Any]:
    """Wait until an upload is in *state*."""
    wait_until(lambda: status(web, name)["state"] == state)
    return status(web, name)
