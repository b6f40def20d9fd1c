"""Deterministic request and response payloads, in the formats of the service's documentation."""

from __future__ import annotations

import io
from functools import cache
from hashlib import blake2b
from typing import Any

UUID = "602a3eec-a61c-4a77-9fcc-3037ce5e9606"
DATASET = "jane/flowers"
SCORE = 0.9254
MOMENT = "2020-04-10T20:09:31.000000Z"

VECTOR: dict[str, Any] = {
    "format_version": "0.1",
    "annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56.0], [90.0, 34.0]]}],
}
LABEL: dict[str, Any] = {
    "sample_uuid": UUID,
    "label_type": "vector",
    "label_status": "PRELABELED",
    "labelset": "ground-truth",
    "attributes": VECTOR,
    "created_at": MOMENT,
    "created_by": "jane",
    "updated_at": MOMENT,
    "score": SCORE,
}


def new_sample(number: int) -> dict[str, Any]:
    """Return the request to create a sample."""
    name = f"violet-{number:06}.jpg"
    return {
        "name": name,
        "attributes": {"image": {"url": f"https://example.com/flowers/{name}"}},
        "metadata": {"city": "London", "weather": "cloudy", "robot": number % 7},
        "priority": float(number % 3),
    }


def stored(sample: dict[str, Any]) -> dict[str, Any]:
    """Return a sample with the fields that the service adds."""
    return {
        "uuid": f"602a3eec-a61c-4a77-9fcc-{blake2b(sample['name'].encode(), digest_size=6).hexdigest()}",
        **sample,
        "created_at": MOMENT,
        "created_by": "jane",
        "assigned_labeler": None,
        "assigned_reviewer": None,
        "readme": "",
    }


def vector_label(shapes: int) -> dict[str, Any]:
    """Return a label with *shapes* polygons of 12 points each."""
    annotations = [
        {
            "id": number + 1,
            "category_id": number % 5 + 1,
            "type": "polygon",
            "points": [[number + corner * 1.25, number * 0.5 + corner] for corner in range(12)],
            "attributes": {"occluded": number % 2 == 0},
        }
        for number in range(shapes)
    ]
    return {**LABEL, "attributes": {"format_version": "0.1", "annotations": annotations}}


def cuboid_label(frames: int, cuboids: int) -> dict[str, Any]:
    """Return a label of a point cloud sequence with *frames* frames of *cuboids* cuboids each."""
    return {
        **LABEL,
        "label_type": "pointcloud-cuboid-sequence",
        "attributes": {
            "format_version": "0.2",
            "frames": [
                {
                    "format_version": "0.2",
                    "timestamp": str(1_000 * frame),
                    "annotations": [_cuboid(number, frame) for number in range(cuboids)],
                }
                for frame in range(frames)
            ],
        },
    }


def _cuboid(number: int, frame: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "category_id": number % 5 + 1,
        "type": "cuboid",
        "position": {"x": number + frame * 0.125, "y": number * 2.5, "z": 0.25},
        "dimensions": {"x": 4.5, "y": 1.75, "z": 1.5},
        "yaw": number * 0.0625,
        "rotation": {"qx": 0.0, "qy": 0.0, "qz": 0.0, "qw": 1.0},
        "is_keyframe": frame % 10 == 0,
        "track_id": number + 1,
    }


PAINTED = 540, 960, 40
"""Height, width and number of objects of the bitmaps in a release."""


def painted_ids(height: int, width: int, objects: int, *, part: float = 1.0, seed: int = 7) -> tuple[Any, Any]:
    """Draw ellipses like the objects of a label bitmap; return the ids of the pixels and the annotations."""
    import numpy as np

    height, width = max(8, round(height * part)), max(8, round(width * part))
    random = np.random.default_rng(seed)
    array = np.zeros((height, width), np.uint32)
    rows, columns = np.ogrid[:height, :width]
    for number in range(1, objects + 1):
        y, x = random.integers(height), random.integers(width)
        radius, stretch = random.uniform(0.02, 0.2) * height, random.uniform(0.5, 2)
        array[(rows - y) ** 2 + ((columns - x) * stretch) ** 2 < radius**2] = number
    return array, [{"id": number, "category_id": number % 3 + 1} for number in np.unique(array).tolist() if number]


@cache
def painted_image() -> bytes:
    """Return a JPEG of smooth noise, similar to a photograph, in the size of the bitmaps in a release."""
    import numpy as np
    from PIL import Image

    height, width, _ = PAINTED
    noise = np.random.default_rng(7).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((width, height)).save(file, "JPEG", quality=90)
    return file.getvalue()


@cache
def small_image() -> bytes:
    """Return a JPEG of 30 kB."""
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(7).integers(0, 256, (42, 42, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((336, 336)).save(file, "JPEG", quality=85)
    return file.getvalue()


@cache
def painted_bitmap() -> bytes:
    """Return the label bitmap for `painted_image`, in the format of the service."""
    from segments_async.images import encode_bitmap

    return encode_bitmap(painted_ids(*PAINTED)[0])
