"""Several processes and one rate limit: with a limiter in Redis that they share, and without."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
import urllib.request
import uuid
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from threading import Barrier
from typing import TYPE_CHECKING, Any

from attrs import evolve

from benchmarks.cases.scale_ray import running_ray
from benchmarks.harness import Case, Check, Contestant, Scale, Turn
from benchmarks.payloads import SCORE, UUID, VECTOR
from benchmarks.stopwatch import Run, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments_async.limits import SharedLimiter

PROCESSES = 4
RATE = 100.0
BURST = 50
DELAY = 0.02
SECONDS_TO_REFILL = 1.5
"""Seconds in which the server's burst is available again."""
CONTESTANTS: dict[str, tuple[dict[str, Any], float | None]] = {
    "rate given": ({"shared": True, "rate": RATE}, 1.10),
    "rate measured": ({"shared": True, "rate": None}, 1.25),
    "not shared": ({"shared": False, "rate": None}, None),
}
"""The arguments of each contestant, and the target for its time as a multiple of the minimum."""
WITH_RAY: dict[str, tuple[float | None, float | None]] = {
    "Ray, rate given": (RATE, 1.10),
    "Ray, rate measured": (None, 1.25),
}
"""The rate of each contestant whose limiter is an actor of Ray, and the same target."""


def case(scale: Scale) -> Case:
    """Return the case."""
    labels = scale.of(4_000, least=BURST + 20)
    limit = f"a limit of {RATE:g} per second, a burst of {BURST}, and waits sent in whole seconds"
    return Case(
        name="scale-limit",
        about=f"{labels:,} label PUTs by {PROCESSES} processes with {limit}; {DELAY * 1e3:g} ms latency",
        unit="PUT",
        contestants=[
            Contestant(
                name=name,
                work=put,
                arguments={"labels": labels, **arguments},
                needs=("redis",),
                programs=("redis-server",),
            )
            for name, (arguments, _) in CONTESTANTS.items()
        ]
        + [
            Contestant(name=name, work=put_with_ray, arguments={"labels": labels, "rate": rate}, needs=("ray",))
            for name, (rate, _) in WITH_RAY.items()
        ],
        checks=[check for name, (_, at_most) in (CONTESTANTS | WITH_RAY).items() for check in _checks(name, at_most)],
        turns=min(2, scale.turns),
        delay=DELAY,
        limit=(RATE, BURST),
        whole_seconds=True,
    )


def _checks(name: str, at_most: float | None) -> Iterator[Check]:
    time_ratio = partial(_relative_to_ideal, name)
    yield Check(name=f"time, {name} / (calls - burst) / rate", value=time_ratio, contestants=[name], target=at_most)
    late = partial(_late, name)
    target = None if at_most is None else 0.0
    yield Check(name=f"refused in a wait, {name}", value=late, contestants=[name], target=target)


def _relative_to_ideal(name: str, turn: Turn) -> float:
    run = turn[name]
    return run.wall / ((run.units - BURST) / RATE)


def _late(name: str, turn: Turn) -> float:
    return float(turn[name].refused_late or 0)


def put(url: str, labels: int, shared: bool, rate: float | None) -> Run:  # noqa: FBT001 (an argument in JSON)
    """Put labels from several processes; the time is that from the first start to the last end."""
    time.sleep(SECONDS_TO_REFILL)
    shares = [labels // PROCESSES + (number < labels % PROCESSES) for number in range(PROCESSES)]
    context = get_context("spawn")
    with running_redis() as redis, Stopwatch(url) as watch:
        before = _refusals(url)
        arguments = (context.Barrier(PROCESSES), url, redis if shared else None, rate, uuid.uuid4().hex)
        with ProcessPoolExecutor(PROCESSES, context, _prepare, arguments) as pool:
            starts, ends, costs = zip(*pool.map(_put_share, shares), strict=True)
        refused, late = (now - then for now, then in zip(_refusals(url), before, strict=True))
    run = watch.run(labels)
    return evolve(run, wall=max(ends) - min(starts), cpu=sum(costs), refused=refused, refused_late=late)


def put_with_ray(url: str, labels: int, rate: float | None) -> Run:
    """Put labels from several actors of Ray, which share a limiter in another one."""
    from segments_async.ray import RayLimiter

    time.sleep(SECONDS_TO_REFILL)
    shares = [labels // PROCESSES + (number < labels % PROCESSES) for number in range(PROCESSES)]
    with running_ray(url) as ray, Stopwatch(url) as watch:
        before = _refusals(url)
        limiter = RayLimiter(uuid.uuid4().hex, rate)
        actors = [ray.remote(num_cpus=0)(Putter).remote(url, limiter) for _ in shares]
        ray.get([actor.prepare.remote() for actor in actors])
        calls = [actor.put.remote(count) for actor, count in zip(actors, shares, strict=True)]
        starts, ends, costs = zip(*ray.get(calls), strict=True)
        refused, late = (now - then for now, then in zip(_refusals(url), before, strict=True))
    run = watch.run(labels)
    return evolve(run, wall=max(ends) - min(starts), cpu=sum(costs), refused=refused, refused_late=late)


class Putter:
    """An actor of Ray that puts labels."""

    def __init__(self, url: str, limiter: SharedLimiter) -> None:
        self._limiter = limiter
        _place.update(barrier=Barrier(1), url=url, limiter=limiter)

    def prepare(self) -> None:
        """Import what it needs, and start the limiter's actor, before the time runs."""
        import_module("segments_async.limits")
        asyncio.run(self._limiter.reserve("another key", 0))

    def put(self, count: int) -> tuple[float, float, float]:
        """Put *count* labels; return the times of start and end, and the CPU seconds."""
        return _put_share(count)


@contextmanager
def running_redis() -> Iterator[str]:
    """Start a Redis server on loopback and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                _wait_until_open(port)
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                server.terminate()


def _wait_until_open(port: int) -> None:
    for _ in range(1_000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("redis-server does not answer")


def _refusals(url: str) -> list[int]:
    with urllib.request.urlopen(f"{url}/refusals") as response:  # noqa: S310 (our own server)
        counts: list[int] = json.load(response)
        return counts


_place: dict[str, Any] = {}
"""What `_prepare` was given, for the share of this process."""


def _prepare(barrier: Barrier, url: str, redis: str | None, rate: float | None, prefix: str) -> None:
    """Import what a process needs, before the time runs."""
    import segments_async.limits

    _place.update(barrier=barrier, url=url, limiter=None)
    if redis is not None:
        _place["limiter"] = segments_async.limits.RedisLimiter(redis, rate, prefix=prefix)


def _put_share(count: int) -> tuple[float, float, float]:
    """Put *count* labels once all processes are ready; return the times of start and end, and the CPU seconds."""
    from segments_async import AsyncSegments

    async def run() -> None:
        items = ({"sample_uuid": UUID, "attributes": VECTOR, "score": SCORE} for _ in range(count))
        async with AsyncSegments("key", base_url=_place["url"], limiter=_place["limiter"]) as client:
            report = await client.labels.put_many(items, check_duplicates=False, keep="failures")
            assert report.succeeded == count

    _place["barrier"].wait()
    start, cpu = time.monotonic(), time.process_time()
    asyncio.run(run())
    return start, time.monotonic(), time.process_time() - cpu
