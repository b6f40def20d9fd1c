"""Reading a large release file, sample by sample and as a whole."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import orjson

from benchmarks.harness import Case, Check, Contestant, Scale, speed_ratio
from benchmarks.payloads import DATASET, new_sample, vector_label
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import ImageVectorLabelAttributes, open_release

MEGABYTES = 500
SHAPES = 10
"""Polygons per sample, about 3 kB of JSON."""
OFFICIAL = "official SDK, as a whole"


def case(scale: Scale) -> Case:
    """Return the case."""
    arguments = {"megabytes": scale.of(MEGABYTES)}
    return Case(
        name="release",
        about=f"a release file of {arguments['megabytes']} MB, {SHAPES} polygons per sample",
        unit="kB",
        contestants=[
            Contestant(name="ours, every sample typed", work=read, arguments=arguments),
            Contestant(name="ours, summary", work=count, arguments=arguments),
            Contestant(name=OFFICIAL, work=official, arguments=arguments, needs=["segments"]),
        ],
        checks=[
            Check(
                name="MB of memory to read every sample",
                value=lambda turn: turn["ours, every sample typed"].memory,
                contestants=["ours, every sample typed"],
                target=150,
            ),
            Check(
                name="memory, official SDK / ours",
                value=lambda turn: turn[OFFICIAL].memory / turn["ours, every sample typed"].memory,
                contestants=["ours, every sample typed", OFFICIAL],
                at_most=False,
            ),
            speed_ratio("kB per CPU second, ours / official SDK", "ours, every sample typed", OFFICIAL),
        ],
        turns=min(3, scale.turns),
        has_server=False,
    )


def read(megabytes: int) -> Run:
    """Read every sample with its label as models."""

    async def run(path: Path, samples: int) -> None:
        found = 0
        async with open_release(path) as release:
            async for sample in release.samples(labelset="ground-truth"):
                label = sample.labels["ground-truth"]
                assert label is not None
                assert isinstance(label.attributes, ImageVectorLabelAttributes)
                found += 1
        assert found == samples

    with tempfile.TemporaryDirectory() as folder:
        path, samples = _write_release(Path(folder), megabytes)
        with Stopwatch() as watch:
            asyncio.run(run(path, samples))
        return watch.run(path.stat().st_size // 1000)


def count(megabytes: int) -> Run:
    """Compute the summary of the release."""

    async def run(path: Path, samples: int) -> None:
        async with open_release(path) as release:
            summary = await release.summary()
        assert summary.samples == samples
        assert sum(summary.labelsets["ground-truth"].categories.values()) == samples * SHAPES

    with tempfile.TemporaryDirectory() as folder:
        path, samples = _write_release(Path(folder), megabytes)
        with Stopwatch() as watch:
            asyncio.run(run(path, samples))
        return watch.run(path.stat().st_size // 1000)


def official(megabytes: int) -> Run:
    """Read every sample with the official SDK, which loads the whole file and returns plain dicts."""
    from segments.dataset import SegmentsDataset

    with tempfile.TemporaryDirectory() as folder:
        path, samples = _write_release(Path(folder), megabytes)
        with Stopwatch() as watch:
            dataset = SegmentsDataset(str(path), segments_dir=None, preload=False, load_images=False)  # type: ignore[arg-type]
            found = sum(len(dataset[index]["annotations"]) == SHAPES for index in range(len(dataset)))
        assert found == samples
        return watch.run(path.stat().st_size // 1000)


def _write_release(folder: Path, megabytes: int) -> tuple[Path, int]:
    """Write a release of about *megabytes* MB; return its path and its number of samples."""
    owner, _, name = DATASET.partition("/")
    dataset = {
        "name": name,
        "owner": owner,
        "task_type": "vector",
        "task_attributes": {"format_version": "0.1", "categories": [{"id": n, "name": f"{n}"} for n in range(1, 6)]},
        "labelsets": [{"name": "ground-truth"}],
    }
    label = {key: vector_label(SHAPES)[key] for key in ("label_status", "attributes")}
    path, samples, size = folder / "release.json", 0, 0
    with path.open("wb") as file:
        file.write(orjson.dumps({"name": "v1", "description": "", "dataset": dataset})[:-2] + b',"samples":[')
        while size < megabytes * 1_000_000:
            created = new_sample(samples)
            sample = {"uuid": f"u-{samples}", **created, "metadata": {}, "labels": {"ground-truth": label}}
            size += file.write((b"," if samples else b"") + orjson.dumps(sample))
            samples += 1
        file.write(b"]}}")
    return path, samples
