"""Of a file of many annotations, one is broken: it is named, and the rest arrives."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from coco_files import CATEGORIES, box, coco, image, write

# Prints the labelled images, the annotations, the problems, and the largest resident size in kilobytes.
READ = """
import json, resource, sys
from segments_async.imports import read_annotations

with read_annotations(sys.argv[1]) as annotations:
    images = found = 0
    problems = []
    for label in annotations.labels("vector"):
        images += 1
        found += len(label.attributes["annotations"])
        problems += map(str, label.problems)
    problems += map(str, annotations.problems)
print(json.dumps([images, found, problems, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
MEGABYTES_MORE = 15


def write_many(path, images, annotations, broken):
    """Write annotations that alternate between the images; the *broken* one has a box of three numbers."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"categories": {json.dumps(CATEGORIES)}, "images": [')
        file.writelines(("," if n else "") + json.dumps(image(n, f"wood/{n}.jpg")) for n in range(images))
        file.write('], "annotations": [')
        for n in range(annotations):
            one = box(x=n % 40, number=n, image_id=n * 7 % images)
            if n == broken:
                one["bbox"] = one["bbox"][:3]
            file.write(("," if n else "") + json.dumps(one))
        file.write("]}")
    return path


def read(path):
    done = subprocess.run([sys.executable, "-c", READ, str(path)], stdout=subprocess.PIPE, text=True, check=True)
    images, found, problems, kilobytes = json.loads(done.stdout)
    return images, found, problems, kilobytes / 1024


@pytest.mark.parametrize(
    ("images", "annotations"), [(1_000, 10_000), pytest.param(20_000, 1_000_000, marks=pytest.mark.full)]
)
def test_one_broken_annotation(tmp_path, images, annotations):
    """Memory does not grow with the number of images."""
    broken = annotations - annotations // 3
    path = write_many(tmp_path / "instances.json", images, annotations, broken)
    name = f"wood/{broken * 7 % images}.jpg"
    labelled, found, problems, megabytes = read(path)
    assert (labelled, found) == (images, annotations - 1)
    assert problems == [f"annotations[{broken}] ({name}): bbox: expected 4 numbers, got 3"]
    *_, few = read(write_many(tmp_path / "few.json", images // 10, annotations // 10, 0))
    assert megabytes - few < MEGABYTES_MORE


@pytest.mark.anyio
async def test_the_rest_is_imported(client, tmp_path):
    images = [image(n, f"{n}.jpg") | {"coco_url": f"https://example.com/{n}.jpg"} for n in range(30)]
    annotations = [box(x=n % 40, number=n, image_id=n % 30) for n in range(3_000)]
    annotations[1234]["bbox"] = [1, 2, "wide", 4]
    report = await client.datasets.import_annotations(
        "flowers", write(tmp_path, coco(images, annotations)), create=True
    )
    report.raise_if_failed()
    assert (report.samples.counts, report.labels.counts) == ({"created": 30}, {"done": 30})
    assert [str(problem) for problem in report.problems] == [
        "annotations[1234] (4.jpg): bbox[2]: expected a number, got 'wide'"
    ]
    labels = [
        one.label
        async for one in client.samples.list("sandbox/flowers", labelset="ground-truth", include_full_label=True)
    ]
    assert sum(len(label.attributes.annotations) for label in labels) == 2_999
