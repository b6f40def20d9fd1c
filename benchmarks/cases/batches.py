"""Samples per second with ``samples_bulk``, by batch size and concurrency, as a table and a plot."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.harness import Case, Contestant, Result, Scale, median_of
from benchmarks.payloads import DATASET, new_sample
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZES = (1, 10, 50, 100, 250, 500)
CONCURRENCIES = (1, 2, 4, 8, 16)
DELAY = 0.05
MAX_SAMPLES = 10_000
ROUNDS = 20
"""Requests per worker, up to `MAX_SAMPLES` samples."""


def case(scale: Scale) -> Case:
    """Return the case."""
    return Case(
        name="batches",
        about=f"samples in batches of {SIZES[0]} to {SIZES[-1]}, {CONCURRENCIES[0]} to {CONCURRENCIES[-1]} at a time; "
        f"{DELAY * 1e3:g} ms latency",
        unit="sample",
        contestants=[
            Contestant(
                name=_name(size, concurrency),
                work=create,
                arguments={
                    "samples": scale.of(min(MAX_SAMPLES, size * concurrency * ROUNDS), least=size * concurrency),
                    "size": size,
                    "concurrency": concurrency,
                },
            )
            for size in SIZES
            for concurrency in CONCURRENCIES
        ],
        turns=min(3, scale.turns),
        delay=DELAY,
    )


def _name(size: int, concurrency: int) -> str:
    return f"batches of {size}, {concurrency} at a time"


def create(url: str, samples: int, size: int, concurrency: int) -> Run:
    """Create samples from a list, after opening every connection."""
    items = [new_sample(number if size > 1 else 0) for number in range(samples)]

    async def run() -> Run:
        async with AsyncSegments("key", base_url=url) as client:

            async def create_some(count: int) -> None:
                report = await client.samples.create_many(
                    DATASET, items[:count], batch_size=size, concurrency=concurrency, check_duplicates=False
                )
                assert report.succeeded == count

            await create_some(min(samples, concurrency * size))
            with Stopwatch(url) as watch:
                await create_some(samples)
            return watch.run(samples)

    return asyncio.run(run())


def draw(result: Result, path: Path) -> None:
    """Plot samples per second and CPU time per sample by batch size, with one line per concurrency."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("agg")
    figure, axes = import_module("matplotlib.pyplot").subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    panels: list[tuple[str, Callable[[Run], float]]] = [
        ("samples per second", lambda run: run.rate),
        ("CPU time per sample, microseconds", lambda run: run.cost),
    ]
    for axis, (title, value) in zip(axes, panels, strict=True):
        for concurrency in CONCURRENCIES:
            points = [median_of(result.runs(_name(size, concurrency)), value) for size in SIZES]
            axis.plot(SIZES, points, marker="o", markersize=4, label=f"{concurrency} in flight")
        axis.set(title=title, xlabel="samples per batch")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xticks(SIZES, labels=[str(size) for size in SIZES])
        axis.minorticks_off()
        axis.yaxis.set_major_formatter("{x:,.0f}")
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.suptitle(result.case.about)
    figure.savefig(path, dpi=110)
