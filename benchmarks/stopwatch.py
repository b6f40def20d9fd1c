"""Measurement in the process of a contestant: run some work and return what it cost."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import statistics
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from attrs import asdict, frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

WARM_UP = 64
"""Minimum number of calls before the measurement; at least one per connection."""


@frozen(kw_only=True)
class Run:
    """The measurements of one contestant in one process."""

    units: int
    """Number of requests, samples or labels, depending on the case."""
    cpu: float
    """CPU seconds of this process, including all threads."""
    wall: float
    """Wall time in seconds."""
    memory: float
    """Peak resident memory in MB (10**6 bytes)."""
    median: float | None = None
    """Median latency of a call in seconds."""
    p99: float | None = None
    """99th percentile of the latency of a call in seconds."""
    server_cpu: float | None = None
    """CPU seconds of the server during the run."""
    refused: int | None = None
    """Number of calls that the server refused."""
    refused_late: int | None = None
    """Those of them that came during a wait that the server had asked for."""

    @property
    def cost(self) -> float:
        """CPU microseconds per unit."""
        return self.cpu / self.units * 1e6

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.units / self.wall

    @property
    def server_cost(self) -> float | None:
        """CPU microseconds of the server per unit."""
        return None if self.server_cpu is None else self.server_cpu / self.units * 1e6


class Stopwatch:
    """
    Measure a ``with`` block; `run` returns the result.

    Args:
        server: URL of a server whose CPU time is measured too.
    """

    def __init__(self, server: str | None = None) -> None:
        self._server = server

    def __enter__(self) -> Self:
        gc.collect()
        self._server_cpu = self._read_server_cpu()
        self._wall = time.perf_counter()
        self._cpu = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self._cpu = time.process_time() - self._cpu
        self._wall = time.perf_counter() - self._wall
        self._server_cpu = self._read_server_cpu() - self._server_cpu

    def run(self, units: int, times: Sequence[float] = ()) -> Run:
        """Return the measurements, given the number of *units* done and the *times* of single calls in seconds."""
        return Run(
            units=units,
            cpu=self._cpu,
            wall=self._wall,
            memory=peak_memory(),
            median=statistics.median(times) if times else None,
            p99=sorted(times)[int(len(times) * 0.99)] if times else None,
            server_cpu=None if self._server is None else self._server_cpu,
        )

    def _read_server_cpu(self) -> float:
        if self._server is None:
            return 0.0
        with urllib.request.urlopen(f"{self._server}/cpu") as response:  # noqa: S310 (our own server)
            cpu: float = json.load(response)["cpu"]
        return cpu


def peak_memory() -> float:
    """
    Return the peak resident memory of this process in MB.

    ``ru_maxrss`` is only a fallback: on Linux, a child process starts with the value of its parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


async def measure_tasks(call: Callable[[], Awaitable[object]], url: str, requests: int, connections: int) -> Run:
    """Measure *requests* calls from one task per connection, after warming up every connection."""

    async def make(count: int) -> list[float]:
        remaining = iter(range(count))
        times = []

        async def work() -> None:
            for _ in remaining:
                started = time.perf_counter()
                await call()
                times.append(time.perf_counter() - started)

        await asyncio.gather(*(work() for _ in range(connections)))
        return times

    await make(max(WARM_UP, connections))
    with Stopwatch(url) as watch:
        times = await make(requests)
    assert len(times) == requests
    return watch.run(requests, times)


def measure_threads(call: Callable[[], object], url: str, requests: int, threads: int) -> Run:
    """Measure *requests* calls from *threads* threads after warming up; a single thread is the current one."""

    def timed(_: int) -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    with ThreadPoolExecutor(threads) as pool:
        map_calls = map if threads == 1 else pool.map
        list(map_calls(timed, range(max(WARM_UP, threads))))
        with Stopwatch(url) as watch:
            times = list(map_calls(timed, range(requests)))
    return watch.run(requests, times)


def measure_loop(work: Callable[[], object], *, repeats: int, units: int = 1) -> Run:
    """Measure *repeats* calls of *work* after a warm-up call; each call counts as *units* units."""
    work()
    times = []
    with Stopwatch() as watch:
        for _ in range(repeats):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
    return watch.run(units * repeats, times)


def main(function: str, arguments: str) -> None:
    """Call ``package.module:function`` with JSON arguments and print its `Run` as the last line."""
    module, name = function.split(":")
    work: Callable[..., Any] = getattr(import_module(module), name)
    print(json.dumps(asdict(work(**json.loads(arguments)))))


if __name__ == "__main__":
    # Under its own name, this module is a different one from __main__, with a different class Run.
    import_module("benchmarks.stopwatch").main(*sys.argv[1:])
