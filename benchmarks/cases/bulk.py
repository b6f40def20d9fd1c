"""Bulk creation of samples with ``samples_bulk``, in equal batches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.harness import Case, Contestant, Scale, speed_ratio
from benchmarks.payloads import DATASET, new_sample
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from segments_async import BulkReport, Sample

BATCH = 500


def case(scale: Scale) -> Case:
    """Return the case."""
    arguments = {"samples": scale.of(20_000, least=BATCH)}
    return Case(
        name="bulk",
        about=f"{arguments['samples']:,} samples in batches of {BATCH}",
        unit="sample",
        contestants=[
            Contestant(name="ours", work=ours, arguments=arguments),
            Contestant(name="ours, all values read", work=ours, arguments={**arguments, "read": True}),
            Contestant(name="official SDK", work=official, arguments=arguments, needs=["segments"]),
        ],
        checks=[speed_ratio("samples per CPU second, ours / official SDK", "ours", "official SDK", at_least=4)],
        turns=scale.turns,
    )


def ours(url: str, samples: int, *, read: bool = False) -> Run:
    """Run this package's client over a list; with *read*, make the models of all answers too."""
    warm_up = [new_sample(number) for number in range(BATCH)]
    items = [new_sample(number) for number in range(samples)]

    async def run() -> Run:
        async with AsyncSegments("key", base_url=url) as client:
            await create(client, warm_up)
            with Stopwatch(url) as watch:
                report = await create(client, items)
                if read:
                    assert len(report.values) == samples
            assert all(outcome.value and outcome.value.name == outcome.item["name"] for outcome in report.results)
            return watch.run(samples)

    return asyncio.run(run())


async def create(
    client: AsyncSegments, items: Iterable[dict[str, object]], keep: Literal["all", "failures"] = "all"
) -> BulkReport[Sample]:
    """Create *items* and return the report."""
    report = await client.samples.create_many(DATASET, items, batch_size=BATCH, keep=keep)
    assert report.succeeded == report.total
    return report


def official(url: str, samples: int) -> Run:
    """Run the official SDK, which leaves batching to the caller."""
    from segments import SegmentsClient

    client: Any = SegmentsClient("key", url)  # its lists are invariant
    batches = [
        [new_sample(number) for number in range(start, min(start + BATCH, samples))]
        for start in range(0, samples, BATCH)
    ]
    client.add_samples(DATASET, [new_sample(number) for number in range(BATCH)])
    with Stopwatch(url) as watch:
        for batch in batches:
            created = client.add_samples(DATASET, batch)
            assert [sample.name for sample in created] == [sample["name"] for sample in batch]
    return watch.run(samples)
