"""Reading a COCO file as labels, image by image."""

from __future__ import annotations

import contextlib
import io
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from benchmarks.harness import Case, Check, Contestant, Scale
from benchmarks.stopwatch import Run, Stopwatch

ANNOTATIONS_PER_IMAGE = 10
POINTS = 20
IMAGES = 10_000
OURS, FEW, COCO = "ours, to labels", "ours, a tenth of the images", "pycocotools, loading"
_SEED = 7


def case(scale: Scale) -> Case:
    """Return the case."""
    images = scale.of(IMAGES)
    return Case(
        name="imports-of-annotations",
        about=f"{images * ANNOTATIONS_PER_IMAGE:,} COCO annotations of {POINTS} points over {images:,} images",
        unit="annotations",
        contestants=[
            Contestant(name=OURS, work=read, arguments={"images": images}),
            Contestant(name=FEW, work=read, arguments={"images": images // 10}),
            Contestant(name=COCO, work=load, arguments={"images": images}, needs=["pycocotools"]),
        ],
        checks=[
            Check(
                name="CPU, ours to labels / pycocotools' loading",
                value=lambda turn: turn[OURS].cpu / turn[COCO].cpu,
                contestants=[OURS, COCO],
            ),
            Check(
                name="MB of memory more than for a tenth of the images",
                value=lambda turn: turn[OURS].memory - turn[FEW].memory,
                contestants=[OURS, FEW],
                target=10,
            ),
            Check(
                name="memory, pycocotools / ours",
                value=lambda turn: turn[COCO].memory / turn[OURS].memory,
                contestants=[OURS, COCO],
                at_most=False,
            ),
        ],
        turns=min(3, scale.turns),
        has_server=False,
    )


def read(images: int) -> Run:
    """Read every image with its label of polygons."""
    from segments_async.imports import read_annotations

    with tempfile.TemporaryDirectory() as folder:
        path = _write(Path(folder), images)
        with Stopwatch() as watch, read_annotations(path) as annotations:
            found = sum(len(_annotations(image.attributes)) for image in annotations.labels("vector"))
        assert found == images * ANNOTATIONS_PER_IMAGE
        return watch.run(found)


def load(images: int) -> Run:
    """Load the file with pycocotools, which keeps all of it in memory, as it is."""
    from pycocotools.coco import COCO as Reader  # noqa: N811

    with tempfile.TemporaryDirectory() as folder:
        path = _write(Path(folder), images)
        with Stopwatch() as watch, contextlib.redirect_stdout(io.StringIO()):
            coco = Reader(str(path))
        assert len(coco.anns) == images * ANNOTATIONS_PER_IMAGE
        return watch.run(len(coco.anns))


def _annotations(attributes: Any) -> list[Any]:
    found: list[Any] = attributes["annotations"]
    return found


def _write(folder: Path, images: int) -> Path:
    """Write the file in another process, whose memory does not count."""
    path = folder / "instances.json"
    code = f"from pathlib import Path; from {__name__} import write_file; write_file(Path({str(path)!r}), {images})"
    subprocess.run([sys.executable, "-c", code], check=True)
    return path


def write_file(path: Path, images: int) -> None:
    """Write a file whose annotations come in random order of their images."""
    generator = random.Random(_SEED)  # noqa: S311 (reproducible, not secret)
    numbers = [number % images for number in range(images * ANNOTATIONS_PER_IMAGE)]
    generator.shuffle(numbers)
    with path.open("wb") as file:
        file.write(b'{"categories":[{"id":1,"name":"rose"}],"images":')
        named = ({"id": n, "file_name": f"train/{n}.jpg", "width": 640, "height": 480} for n in range(images))
        file.write(b"[" + b",".join(map(orjson.dumps, named)) + b'],"annotations":[')
        for index, number in enumerate(numbers):
            file.write((b"," if index else b"") + orjson.dumps(_annotation(index, number, generator)))
        file.write(b"]}")


def _annotation(index: int, number: int, generator: random.Random) -> dict[str, Any]:
    x, y, width, height = (round(generator.uniform(1, 300), 2) for _ in range(4))
    ring = [
        round(edge + generator.random() * side, 2) for _ in range(POINTS) for edge, side in ((x, width), (y, height))
    ]
    return {
        "id": index,
        "image_id": number,
        "category_id": 1,
        "bbox": [x, y, width, height],
        "segmentation": [ring],
        "area": round(width * height, 2),
        "iscrowd": 0,
    }
