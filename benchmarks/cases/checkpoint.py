"""The cost of a checkpoint for a run, and its savings for the next one."""

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
    """Return the case."""
    samples = scale.of(20_000, least=BATCH)

    def contestant(name: str, *, checkpointed: bool, resumed: bool = False) -> Contestant:
        return Contestant(
            name=name, work=create, arguments={"samples": samples, "checkpointed": checkpointed, "resumed": resumed}
        )

    return Case(
        name="checkpoint",
        about=f"{samples:,} samples in batches of {BATCH}",
        unit="sample",
        contestants=[
            contestant("without", checkpointed=False),
            contestant("with a checkpoint", checkpointed=True),
            contestant("resumed", checkpointed=True, resumed=True),
        ],
        checks=[
            cost_ratio("CPU with a checkpoint / without", "with a checkpoint", "without", 1.25),
            cost_ratio("CPU of a resumed run with all items done / without", "resumed", "without", 1),
        ],
        turns=scale.turns,
    )


def create(url: str, samples: int, *, checkpointed: bool, resumed: bool) -> Run:
    """Create samples, or resume a run with all of them done."""
    items = [new_sample(number) for number in range(samples)]

    async def run(folder: Path) -> Run:
        path = folder / "run.db" if checkpointed else None
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
