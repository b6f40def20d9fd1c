"""Streaming: memory for twenty times the items, of the process and of Python objects alone."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from benchmarks.cases.bulk import BATCH, create
from benchmarks.harness import Case, Check, Contestant, Scale, Turn
from benchmarks.payloads import new_sample
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments

if TYPE_CHECKING:
    from collections.abc import Callable


def case(scale: Scale) -> Case:
    """Return the case."""
    few, many = scale.of(10_000, least=BATCH), scale.of(200_000, least=2 * BATCH)
    kinds: dict[str, Callable[..., Run]] = {"resident": stream, "traced": stream_traced}
    return Case(
        name="memory",
        about="samples from a generator, keeping only failures",
        unit="sample",
        contestants=[
            Contestant(name=_name(count, kind), work=work, arguments={"samples": count})
            for kind, work in kinds.items()
            for count in (few, many)
        ],
        checks=[
            Check(
                name=f"additional MB for {many:,} over {few:,}, {kind}",
                value=partial(_growth, _name(few, kind), _name(many, kind)),
                contestants=[_name(few, kind), _name(many, kind)],
                target=40,
            )
            for kind in kinds
        ],
        turns=min(3, scale.turns),
    )


def _name(count: int, kind: str) -> str:
    return f"{count:,} samples, {kind}"


def _growth(few: str, many: str, turn: Turn) -> float:
    return turn[many].memory - turn[few].memory


def stream(url: str, samples: int) -> Run:
    """Create samples from a generator."""

    async def run() -> Run:
        async with AsyncSegments("key", base_url=url) as client:
            with Stopwatch(url) as watch:
                report = await create(client, (new_sample(number) for number in range(samples)), keep="failures")
                assert report.total == samples
            return watch.run(samples)

    return asyncio.run(run())


def stream_traced(url: str, samples: int) -> Run:
    """Run `stream` with `tracemalloc`; the memory of the run is the peak of Python objects."""
    gc.collect()
    tracemalloc.start()
    run = stream(url, samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return evolve(run, memory=peak / 1e6)
