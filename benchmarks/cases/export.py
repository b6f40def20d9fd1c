"""Export of a release with its images and bitmaps to other formats."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.harness import Case, Check, Contestant, Scale, speed_ratio
from benchmarks.payloads import PAINTED, painted_ids
from benchmarks.stopwatch import Run, Stopwatch
from segments_async import AsyncSegments

if TYPE_CHECKING:
    from segments_async.export import ExportFormat

FORMATS: dict[ExportFormat, list[str]] = {
    "coco-instance": ["pycocotools"],
    "coco-panoptic": [],
    "polygon": ["cv2"],
    "semantic": [],
    "semantic-color": [],
}
"""The modules that each format requires."""
MULTIPLES = 10, 30
"""Multiples of the number of samples, to see whether memory grows with it."""


def case(scale: Scale) -> Case:
    """Return the case."""
    contestants, checks = [], []
    arguments = {"samples": scale.of(24, least=2)}
    for kind, modules in FORMATS.items():
        needs = ["numpy", "PIL", *modules]
        us, them = f"{kind}, ours", f"{kind}, official SDK"
        contestants += [
            Contestant(name=us, work=ours, arguments={"format": kind, **arguments}, needs=needs),
            Contestant(
                name=them,
                work=official,
                arguments={"format": kind, **arguments},
                needs=[*needs, "segments", "skimage"],
            ),
        ]
        checks.append(speed_ratio(f"{kind}, times as fast", us, them, at_least=1.0))
        checks.append(
            Check(
                name=f"{kind}, MB of ours / official SDK",
                value=lambda turn, us=us, them=them: turn[us].memory / turn[them].memory,  # type: ignore[misc]
                contestants=[us, them],
                target=1.0,
            )
        )
    more = [f"coco-instance, ours, {times * arguments['samples']} samples" for times in MULTIPLES]
    contestants += [
        Contestant(
            name=name,
            work=ours,
            arguments={"format": "coco-instance", "samples": times * arguments["samples"]},
            needs=["numpy", "PIL", "pycocotools"],
        )
        for name, times in zip(more, MULTIPLES, strict=True)
    ]
    checks.append(
        Check(
            name="additional MB for {1} samples over {0}".format(
                *(times * arguments["samples"] for times in MULTIPLES)
            ),
            value=lambda turn: turn[more[1]].memory - turn[more[0]].memory,
            contestants=more,
            target=20,
        )
    )
    height, width, objects = PAINTED
    return Case(
        name="export",
        about=f"a release of {arguments['samples']} images of {width} x {height} pixels, {objects} objects painted on"
        " each, downloaded and exported",
        unit="sample",
        contestants=contestants,
        checks=checks,
        turns=scale.turns,
    )


def ours(url: str, samples: int, format: ExportFormat) -> Run:
    """Export with this package."""
    import segments_async.export  # noqa: F401 (the import is not measured)

    async def run(folder: Path) -> Run:
        path = _release(folder, url, samples)
        async with AsyncSegments("key", base_url=url) as client:
            with Stopwatch(url) as watch:
                report = await client.releases.export(path, folder, format)
            result = watch.run(samples)  # before the check, which needs memory too
        assert report.samples == samples
        _check(folder, samples, format)
        return result

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(Path(folder)))


def official(url: str, samples: int, format: str) -> Run:
    """Export with the official SDK, which writes to the current folder."""
    import numpy as np
    import segments.export  # noqa: F401 (the import is not measured)
    from PIL import Image
    from segments import utils
    from segments.dataset import SegmentsDataset

    class Images:
        """Writes 16-bit PNGs to the SDK's cache, as older versions of Pillow did for 32-bit arrays."""

        open = staticmethod(Image.open)

        @staticmethod
        def fromarray(array: Any) -> Image.Image:
            return Image.fromarray(array.astype(np.uint16))

    with tempfile.TemporaryDirectory() as folder:
        path = _release(Path(folder), url, samples)
        with chdir(folder), patch.object(utils, "Image", Images), Stopwatch(url) as watch:
            utils.export_dataset(SegmentsDataset(str(path)), export_format=format)  # type: ignore[arg-type]
        result = watch.run(samples)  # before the check, which needs memory too
        _check(Path(folder), samples, format)
    return result


def _release(folder: Path, url: str, samples: int) -> Path:
    """Write a release file with images and bitmaps from the server."""
    _, annotations = painted_ids(*PAINTED)
    attributes = {"annotations": annotations, "segmentation_bitmap": {"url": f"{url}/bitmap.png"}}
    release = {
        "name": "v1",
        "dataset": {
            "name": "flowers",
            "owner": "jane",
            "task_type": "segmentation-bitmap",
            "task_attributes": {
                "format_version": "0.1",
                "categories": [
                    {"id": number, "name": str(number), "color": [60 * number, 90, 200], "has_instances": number > 1}
                    for number in range(1, 4)
                ],
            },
            "labelsets": [{"name": "ground-truth"}],
            "samples": [
                {
                    "uuid": str(number),
                    "name": f"{number}.jpg",
                    "attributes": {"image": {"url": f"{url}/image.jpg"}},
                    "metadata": {},
                    "labels": {"ground-truth": {"label_status": "LABELED", "attributes": attributes}},
                }
                for number in range(samples)
            ],
        },
    }
    path = folder / "release.json"
    path.write_text(json.dumps(release))
    return path


def _check(folder: Path, samples: int, format: str) -> None:
    """Assert that the export is complete."""
    images = folder / "segments" / "jane_flowers" / "v1"
    assert len(list(images.glob("*.jpg"))) == samples
    for path in folder.glob("export_*.json"):
        content = json.loads(path.read_bytes())
        assert len(content["images"]) == samples
        assert len(content["annotations"]) >= samples
    suffix = {"semantic-color": "semantic_colored"}.get(format, format)
    if suffix.startswith(("semantic", "coco-panoptic")):
        assert len(list(images.glob(f"*_label_ground-truth_{suffix}.png"))) == samples
