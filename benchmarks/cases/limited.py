"""Bulk runs against a rate-limited server, compared with the minimum time that the limit allows."""

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
    """Return the case where the server sends exact waits."""
    return _case("limited", scale.of(1_000, least=BURST + 20), BURST, turns=min(3, scale.turns))


def whole_seconds(scale: Scale) -> Case:
    """Return the case where waits are in whole seconds, as in HTTP, so the client has to estimate the rate."""
    labels = scale.of(3_000, least=BURST + 20)
    return _case("limited-whole", labels, SMALL_BURST, turns=min(2, scale.turns), whole_seconds=True)


def _case(name: str, labels: int, burst: int, *, turns: int, whole_seconds: bool = False) -> Case:
    waits = "in whole seconds" if whole_seconds else "exactly"
    limit = f"a limit of {RATE:g} per second, a burst of {burst}, and waits sent {waits}"
    return Case(
        name=name,
        about=f"{labels:,} label PUTs with {limit}; {DELAY * 1e3:g} ms latency",
        unit="PUT",
        contestants=[
            Contestant(name=name, work=put, arguments={"labels": labels, "runs": runs}) for name, runs in NAMES.items()
        ],
        checks=[
            Check(
                name=f"time of {name} / (calls - burst) / rate",
                value=partial(_relative_to_ideal, name, burst),
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


def _relative_to_ideal(name: str, burst: int, turn: Turn) -> float:
    run = turn[name]
    return run.wall / ((run.units - burst) / RATE)


def put(url: str, labels: int, runs: int) -> Run:
    """Put labels in *runs* concurrent runs."""

    def items(count: int) -> Iterator[dict[str, Any]]:
        return ({"sample_uuid": UUID, "attributes": VECTOR, "score": SCORE} for _ in range(count))

    async def run() -> Run:
        async with AsyncSegments("key", base_url=url) as client:

            async def put_some(count: int) -> None:
                report = await client.labels.put_many(items(count), check_duplicates=False, keep="failures")
                assert report.succeeded == count

            shares = [labels // runs + (number < labels % runs) for number in range(runs)]
            with Stopwatch(url) as watch:
                await asyncio.gather(*map(put_some, shares))
            run = watch.run(labels)
            assert run.wall * RATE > 0.9 * (labels - BURST)  # the server has kept its limit
            return run

    return asyncio.run(run())
