"""What a checkpoint costs a run, and what it saves the next."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from benchmarks.harness import Case, Contestant, Scale, cost_ratio
from benchmarks.payloads import DATASET, new_sample
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments

BATCH = 500


def case(scale: Scale) -> Case:
    """Describe the case."""
    samples = scale.of(20_000, least=BATCH)

    def contestant(name: str, *, noted: bool, resumed: bool = False) -> Contestant:
        return Contestant(name=name, work=create, arguments={"samples": samples, "noted": noted, "resumed": resumed})

    return Case(
        name="checkpoint",
        about=f"{samples:,} samples in batches of {BATCH}",
        unit="sample",
        contestants=[
            contestant("without", noted=False),
            contestant("with a checkpoint", noted=True),
            contestant("again with it", noted=True, resumed=True),
        ],
        checks=[
            cost_ratio("CPU with a checkpoint / without", "with a checkpoint", "without", 1.25),
            cost_ratio("CPU of a run whose items are done / without", "again with it", "without", 1),
        ],
        turns=scale.turns,
    )


def create(url: str, samples: int, *, noted: bool, resumed: bool) -> Run:
    """Create samples, or find that all of them are done."""
    items = [new_sample(number) for number in range(samples)]

    async def run(folder: Path) -> Run:
        path = folder / "run.db" if noted else None
        async with AsyncSegments("key", base_url=url) as client:
            await client.samples.create_many(DATASET, items[:BATCH], batch_size=BATCH)
            if resumed:
                await client.samples.create_many(DATASET, items, batch_size=BATCH, checkpoint=path)
            with Stopwatch(url) as watch:
                report = await client.samples.create_many(DATASET, items, batch_size=BATCH, checkpoint=path)
            assert report.succeeded == samples
            assert report.counts["skipped"] == (samples if resumed else 0)
            return watch.run(samples)

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(Path(folder)))
