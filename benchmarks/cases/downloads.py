"""Download of many small images to a folder in memory, from a slow host."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any, Literal

from benchmarks.harness import Case, Contestant, Scale, rate_ratio, speed_ratio
from benchmarks.payloads import small_image
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments

DELAY = 0.05
CONNECTIONS = 128
OURS = f"ours, {CONNECTIONS} connections"
OURS_BY_DEFAULT = "ours, 32 connections"
OVER_AIOHTTP = f"ours over aiohttp, {CONNECTIONS} connections"
OFFICIAL = "official SDK, preload"


def case(scale: Scale) -> Case:
    """Return the case."""
    images = scale.of(2000, least=4)
    arguments = {"images": images}
    return Case(
        name="download",
        about=f"{images:,} images of {len(small_image()) / 1000:.1f} kB, each with a latency of {DELAY * 1000:g} ms",
        unit="image",
        contestants=[
            Contestant(name=OURS, work=ours, arguments={**arguments, "connections": CONNECTIONS}),
            Contestant(name=OURS_BY_DEFAULT, work=ours, arguments={**arguments, "connections": 32}),
            Contestant(
                name=OVER_AIOHTTP,
                work=ours,
                arguments={**arguments, "connections": CONNECTIONS, "transport": "aiohttp"},
                needs=["httpx_aiohttp"],
            ),
            Contestant(name=OFFICIAL, work=official, arguments=arguments, needs=["segments"]),
        ],
        checks=[
            rate_ratio(f"{CONNECTIONS} connections / official SDK", OURS, OFFICIAL, at_least=4),
            rate_ratio("32 connections / official SDK", OURS_BY_DEFAULT, OFFICIAL),
            rate_ratio(f"over aiohttp, {CONNECTIONS} connections / official SDK", OVER_AIOHTTP, OFFICIAL, at_least=4),
            speed_ratio("images per CPU second, ours / official SDK", OURS, OFFICIAL),
        ],
        turns=scale.turns,
        delay=DELAY,
    )


def ours(url: str, images: int, connections: int, transport: Literal["aiohttp"] | None = None) -> Run:
    """Download with this package."""

    async def run(folder: Path) -> Run:
        async with AsyncSegments("key", base_url=url, max_connections=connections, transport=transport) as client:
            await client.assets.read(f"{url}/small/0.jpg")  # imports everything, as the official SDK has done by now
            with Stopwatch(url) as watch:
                report = await client.assets.download_many(_samples(url, images), folder)
            report.raise_if_failed()
        return watch.run(images)

    with _folder() as folder:
        result = asyncio.run(run(Path(folder)))
        assert [path.stat().st_size for path in Path(folder).iterdir()] == [len(small_image())] * images
        return result


def official(url: str, images: int) -> Run:
    """Let the official SDK fill its cache with its 16 threads; it re-encodes each image."""
    from segments.dataset import SegmentsDataset

    with _folder() as folder:
        path = Path(folder, "release.json")
        dataset = {
            "name": "flowers",
            "owner": "jane",
            "task_type": "vector",
            "task_attributes": {"categories": []},
            "labelsets": [{"name": "ground-truth"}],
            "samples": _samples(url, images),
        }
        path.write_text(json.dumps({"name": "v1", "dataset": dataset}))
        with Stopwatch(url) as watch:
            SegmentsDataset(str(path), segments_dir=folder)
        assert len(list(Path(folder).rglob("*.jpg"))) == images
        return watch.run(images)


def _folder() -> tempfile.TemporaryDirectory[str]:
    """
    Create a temporary folder, in memory if possible.

    Some disks create files ten times slower after thousands were deleted, as in the previous turn.
    """
    memory = Path("/dev/shm")  # noqa: S108 (the folder in it has a random name)
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def _samples(url: str, images: int) -> list[dict[str, Any]]:
    return [
        {
            "uuid": f"u-{number}",
            "name": f"{number}.jpg",
            "attributes": {"image": {"url": f"{url}/small/{number}.jpg"}},
            "metadata": {},
            "labels": {"ground-truth": None},
        }
        for number in range(images)
    ]
