"""Streaming: twenty times the items in about the same memory."""

from __future__ import annotations

import asyncio

from benchmarks.cases.bulk import BATCH, create
from benchmarks.harness import Case, Check, Contestant, Scale
from benchmarks.payloads import new_sample
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments


def case(scale: Scale) -> Case:
    """Describe the case."""
    few, many = scale.of(10_000, least=BATCH), scale.of(200_000, least=2 * BATCH)
    fewer, more = f"{few:,} samples", f"{many:,} samples"
    return Case(
        name="memory",
        about="samples from a generator, of which only failures are kept",
        unit="sample",
        contestants=[
            Contestant(name=fewer, work=stream, arguments={"samples": few}),
            Contestant(name=more, work=stream, arguments={"samples": many}),
        ],
        checks=[
            Check(
                name=f"MB that {many:,} need more than {few:,}",
                value=lambda turn: turn[more].memory - turn[fewer].memory,
                contestants=[fewer, more],
                target=40,
            )
        ],
        turns=min(3, scale.turns),
    )


def stream(url: str, samples: int) -> Run:
    """Create samples that are made when they are asked for."""

    async def run() -> Run:
        async with AsyncSegments("key", base_url=url) as client:
            with Stopwatch(url) as watch:
                done = await create(client, (new_sample(number) for number in range(samples)), keep="failures")
                assert done == samples
            return watch.run(samples)

    return asyncio.run(run())
