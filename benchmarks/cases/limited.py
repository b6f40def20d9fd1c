"""A server that allows so many calls a second: how near a bulk run comes to the time that this takes at least."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Case, Check, Contestant, Scale, Turn
from benchmarks.payloads import SCORE, UUID, VECTOR
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 100.0
BURST, SMALL_BURST = 50, 10
DELAY = 0.02
AT_MOST = 1.15
NAMES = {"one run": 1, "two runs on one client": 2}


def case(scale: Scale) -> Case:
    """Describe the case where the server names its waits exactly."""
    return _case("limited", scale.of(1_000, least=BURST + 20), BURST, turns=min(3, scale.turns))


def whole_seconds(scale: Scale) -> Case:
    """Describe the case where it names them as HTTP has them, in whole seconds, and so the rate has to be found out."""
    labels = scale.of(3_000, least=BURST + 20)
    return _case("limited-whole", labels, SMALL_BURST, turns=min(2, scale.turns), whole_seconds=True)


def _case(name: str, labels: int, burst: int, *, turns: int, whole_seconds: bool = False) -> Case:
    waits = "in whole seconds" if whole_seconds else "exactly"
    limit = f"{RATE:g} a second are allowed, {burst} at once, and waits named {waits}"
    return Case(
        name=name,
        about=f"{labels:,} label PUTs where {limit}; {DELAY * 1e3:g} ms latency",
        unit="PUT",
        contestants=[
            Contestant(name=name, work=put, arguments={"labels": labels, "runs": runs}) for name, runs in NAMES.items()
        ],
        checks=[
            Check(
                name=f"time of {name} / (calls - burst) / rate",
                value=partial(_of_ideal, name, burst),
                contestants=[name],
                target=AT_MOST,
            )
            for name in NAMES
        ],
        turns=turns,
        delay=DELAY,
        limit=(RATE, burst),
        whole_seconds=whole_seconds,
    )


def _of_ideal(name: str, burst: int, turn: Turn) -> float:
    run = turn[name]
    return run.wall / ((run.units - burst) / RATE)


def put(url: str, labels: int, runs: int) -> Run:
    """Put labels in so many runs at the same time."""

    def items(count: int) -> Iterator[dict[str, Any]]:
        return ({"sample_uuid": UUID, "attributes": VECTOR, "score": SCORE} for _ in range(count))

    async def run() -> Run:
        async with AsyncSegments("key", base_url=url) as client:

            async def put_some(count: int) -> int:
                report = await client.labels.put_many(items(count), check_duplicates=False, keep="failures")
                assert report.succeeded == count
                return report.throttled

            shares = [labels // runs + (number < labels % runs) for number in range(runs)]
            with Stopwatch(url) as watch:
                refused = await asyncio.gather(*map(put_some, shares))
            assert sum(refused) > 0
            return watch.run(labels)

    return asyncio.run(run())
