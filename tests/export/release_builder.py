"""Releases for the tests of exports: small, with every oddity that does not break the official SDK."""

from __future__ import annotations

import io
import json

import numpy as np
from attrs import define, field
from PIL import Image

from segments_async.images import encode_bitmap

CATEGORIES = [
    {"id": 1, "name": "sky", "color": [10, 120, 230], "has_instances": False},
    {"id": 2, "name": "flower", "color": [200, 30, 90, 255], "has_instances": True, "attributes": [{"name": "torn"}]},
    {"id": 3, "name": "leaf", "color": None, "has_instances": True, "note": "yours"},
]


def jpeg(width, height, *, shade=90, orientation=None):
    file = io.BytesIO()
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.new("RGB", (width, height), (shade, 0, 0)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def blobs(width, height, ids, *, seed):
    """Ids with objects that touch, have holes, lie in pieces, and cross the ends of columns."""
    random = np.random.default_rng(seed)
    array = np.zeros((height, width), np.uint32)
    rows, columns = np.ogrid[:height, :width]
    for number in ids:
        y, x, radius = random.integers(height), random.integers(width), random.integers(3, 9)
        distance = (rows - y) ** 2 + (columns - x) ** 2
        array[(distance < radius**2) & (distance >= (radius // 3) ** 2)] = number
        array[:, random.integers(width)] = number
    return array


@define
class ReleaseBuilder:
    """A release that is being made: files on the sandbox, samples in a list."""

    client: object
    task_type: str
    samples: list = field(factory=list)
    categories: list = field(factory=lambda: [dict(category) for category in CATEGORIES])
    bitmaps: dict = field(factory=dict)
    """Ids by the sample's name."""

    async def put(self, content, filename):
        return (await self.client.assets.upload(content, filename)).url

    def add(self, name, image_url, attributes, *, status="LABELED", metadata=None, labelset="ground-truth"):
        label = None if attributes is None else {"label_status": status, "attributes": attributes}
        self.samples.append(
            {
                "uuid": f"uuid-{len(self.samples)}",
                "name": name,
                "attributes": {"image": {"url": image_url}},
                "metadata": metadata or {},
                "labels": {"ground-truth": None, "model": None, labelset: label},
            }
        )

    async def segmented(self, name, array, annotations, *, image=None, **options):
        """Add a sample with a bitmap."""
        image = jpeg(array.shape[1], array.shape[0]) if image is None else image
        attributes = {
            "annotations": annotations,
            "segmentation_bitmap": {"url": await self.put(encode_bitmap(array), "bitmap.png")},
        }
        self.bitmaps[name] = array
        self.add(name, await self.put(image, "image.jpg"), attributes, **options)

    async def drawn(self, name, annotations, *, size=(64, 48), **options):
        """Add a sample with shapes."""
        self.add(name, await self.put(jpeg(*size), "image.jpg"), {"annotations": annotations}, **options)

    def as_json(self):
        return {
            "name": "v1",
            "description": "",
            "created_at": "2026-01-01T00:00:00Z",
            "dataset": {
                "name": "flowers",
                "owner": "jane",
                "task_type": self.task_type,
                "task_attributes": {"format_version": "0.1", "categories": self.categories},
                "labelsets": [{"name": "ground-truth"}, {"name": "model"}],
                "samples": self.samples,
            },
        }

    def write(self, folder):
        path = folder / "release.json"
        path.write_text(json.dumps(self.as_json()))
        return path


FOLDER = "segments/jane_flowers/v1"
