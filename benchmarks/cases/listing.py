"""Listing all samples of a dataset in pages of 1,000, from a slow and from a fast service."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.harness import Case, Contestant, Scale, rate_ratio, speed_ratio
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from segments_async import Pages, Sample

PER_PAGE = 1000
DELAY = 0.05
OURS = {
    "ours, prefetch(4)": "prefetch",
    "ours, lookahead=4": "lookahead",
    "ours, page by page": "plain",
}
OFFICIAL = "official SDK, page loop"


def slow_case(scale: Scale) -> Case:
    """Return the case of a service with 50 ms latency."""
    samples = scale.of(20_000, least=2 * PER_PAGE)
    return Case(
        name="list",
        about=f"{samples:,} samples in pages of {PER_PAGE:,}, each with a latency of {DELAY * 1000:g} ms",
        unit="sample",
        contestants=_contestants(samples),
        checks=[
            rate_ratio("prefetch(4) / official SDK", "ours, prefetch(4)", OFFICIAL, at_least=3),
            rate_ratio("lookahead=4 / official SDK", "ours, lookahead=4", OFFICIAL, at_least=2.5),
            rate_ratio("page by page / official SDK", "ours, page by page", OFFICIAL),
        ],
        turns=scale.turns,
        delay=DELAY,
    )


def large_case(scale: Scale) -> Case:
    """Return the case of a large dataset."""
    samples = scale.of(100_000, least=2 * PER_PAGE)
    return Case(
        name="list-all",
        about=f"{samples:,} samples in pages of {PER_PAGE:,}, iterated one by one, without latency",
        unit="sample",
        contestants=_contestants(samples),
        checks=[
            speed_ratio("samples per CPU second, prefetch(4) / official SDK", "ours, prefetch(4)", OFFICIAL),
            speed_ratio("samples per CPU second, page by page / official SDK", "ours, page by page", OFFICIAL),
            rate_ratio("samples per second, prefetch(4) / official SDK", "ours, prefetch(4)", OFFICIAL),
        ],
        turns=min(3, scale.turns),
    )


def _contestants(samples: int) -> list[Contestant]:
    return [
        *(Contestant(name=name, work=ours, arguments={"samples": samples, "way": way}) for name, way in OURS.items()),
        Contestant(name=OFFICIAL, work=official, arguments={"samples": samples}, needs=["segments"]),
    ]


def dataset_of(samples: int) -> str:
    """Return the name of the dataset with *samples* samples."""
    return f"jane/flowers-{samples}"


def ours(url: str, samples: int, way: str) -> Run:
    """Run this package's client."""

    async def run() -> Run:
        async with AsyncSegments("key", base_url=url) as client:

            def pages() -> Pages[Sample]:
                lookahead = 4 if way == "lookahead" else 1
                return client.samples.list(dataset_of(samples), per_page=PER_PAGE, lookahead=lookahead)

            await anext(pages().pages())
            with Stopwatch(url) as watch:
                async with AsyncExitStack() as stack:
                    rows: AsyncIterator[Sample] = aiter(pages())
                    if way == "prefetch":
                        rows = aiter(await stack.enter_async_context(pages().prefetch(4)))
                    names = [sample.name async for sample in rows]
            _check(names, samples)
            return watch.run(samples)

    return asyncio.run(run())


def official(url: str, samples: int) -> Run:
    """Run the official SDK, whose users write the page loop themselves."""
    from segments import SegmentsClient
    from segments.exceptions import NotFoundError

    client = SegmentsClient("key", url)
    client.get_samples(dataset_of(samples), per_page=PER_PAGE)
    names = []
    with Stopwatch(url) as watch, suppress(NotFoundError):  # raised for the page after the last
        for page in count(1):
            names += [sample.name for sample in client.get_samples(dataset_of(samples), per_page=PER_PAGE, page=page)]
    _check(names, samples)
    return watch.run(samples)


def _check(names: list[str], samples: int) -> None:
    assert len(set(names)) == len(names) == samples
    assert sorted(names) == names
