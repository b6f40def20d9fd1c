"""The measuring side, inside the process of one contestant: run a piece of work, and tell what it cost."""

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
"""Calls before the clock runs, or as many as there are connections."""


@frozen(kw_only=True)
class Run:
    """What one contestant did in one process."""

    units: int
    """Requests, samples, labels: what the case counts."""
    cpu: float
    """CPU seconds of this process, all threads."""
    wall: float
    """Seconds that passed."""
    memory: float
    """The most that was resident at any time, in MB (10**6 bytes)."""
    median: float | None = None
    """Seconds that half of the calls took at most."""
    p99: float | None = None
    """Seconds that 99 of 100 calls took at most."""
    server_cpu: float | None = None
    """CPU seconds of the server meanwhile."""

    @property
    def cost(self) -> float:
        """CPU microseconds for a unit."""
        return self.cpu / self.units * 1e6

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.units / self.wall

    @property
    def server_cost(self) -> float | None:
        """CPU microseconds of the server for a unit."""
        return None if self.server_cpu is None else self.server_cpu / self.units * 1e6


class Stopwatch:
    """
    Measure what happens inside ``with``; `run` tells.

    Args:
        server: The server whose CPU is measured too.
    """

    def __init__(self, server: str | None = None) -> None:
        self._server = server

    def __enter__(self) -> Self:
        gc.collect()
        self._server_cpu = self._ask_server()
        self._wall = time.perf_counter()
        self._cpu = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self._cpu = time.process_time() - self._cpu
        self._wall = time.perf_counter() - self._wall
        self._server_cpu = self._ask_server() - self._server_cpu

    def run(self, units: int, times: Sequence[float] = ()) -> Run:
        """Sum up: so many units were done, and single calls took so many seconds."""
        return Run(
            units=units,
            cpu=self._cpu,
            wall=self._wall,
            memory=peak_memory(),
            median=statistics.median(times) if times else None,
            p99=sorted(times)[int(len(times) * 0.99)] if times else None,
            server_cpu=None if self._server is None else self._server_cpu,
        )

    def _ask_server(self) -> float:
        if self._server is None:
            return 0.0
        with urllib.request.urlopen(f"{self._server}/cpu") as answer:  # noqa: S310 (our own server)
            cpu: float = json.load(answer)["cpu"]
        return cpu


def peak_memory() -> float:
    """
    Tell the most memory this process ever had resident, in MB.

    ``ru_maxrss`` is the second choice: on Linux a child begins with what its parent had.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


async def measure_tasks(call: Callable[[], Awaitable[object]], url: str, requests: int, connections: int) -> Run:
    """Warm up, so that every connection is open, and make so many calls from so many tasks."""

    async def make(count: int) -> list[float]:
        left = iter(range(count))
        times = []

        async def work() -> None:
            for _ in left:
                begun = time.perf_counter()
                await call()
                times.append(time.perf_counter() - begun)

        await asyncio.gather(*(work() for _ in range(connections)))
        return times

    await make(max(WARM_UP, connections))
    with Stopwatch(url) as watch:
        times = await make(requests)
    assert len(times) == requests
    return watch.run(requests, times)


def measure_threads(call: Callable[[], object], url: str, requests: int, threads: int) -> Run:
    """Warm up, and make so many calls from so many threads, or from this one if that is all."""

    def timed(_: int) -> float:
        begun = time.perf_counter()
        call()
        return time.perf_counter() - begun

    with ThreadPoolExecutor(threads) as pool:
        spread = map if threads == 1 else pool.map
        list(spread(timed, range(max(WARM_UP, threads))))
        with Stopwatch(url) as watch:
            times = list(spread(timed, range(requests)))
    return watch.run(requests, times)


def measure_loop(work: Callable[[], object], *, repeats: int, units: int = 1) -> Run:
    """Warm up, and do the same thing again and again; each time is worth so many units."""
    work()
    times = []
    with Stopwatch() as watch:
        for _ in range(repeats):
            begun = time.perf_counter()
            work()
            times.append(time.perf_counter() - begun)
    return watch.run(units * repeats, times)


def main(function: str, arguments: str) -> None:
    """Call ``package.module:function`` with arguments in JSON, and print its Run as the last line."""
    module, name = function.split(":")
    work: Callable[..., Any] = getattr(import_module(module), name)
    print(json.dumps(asdict(work(**json.loads(arguments)))))


if __name__ == "__main__":
    # Imported by its name, this module is another one than __main__, and so is its Run.
    import_module("benchmarks.stopwatch").main(*sys.argv[1:])
