"""COCO files for the tests."""

from __future__ import annotations

import json

CATEGORIES = [{"id": 1, "name": "rose"}, {"id": 7, "name": "violet"}]


def image(number=1, name="rose.jpg", size=(64, 48)):
    return {"id": number, "file_name": name, "width": size[0], "height": size[1]}


def annotation(number=1, image_id=1, category_id=1, **more):
    return {"id": number, "image_id": image_id, "category_id": category_id, "iscrowd": 0, **more}


def box(x=1, y=2, width=10, height=20, **more):
    return annotation(bbox=[x, y, width, height], **more)


def coco(images=None, annotations=None, categories=None):
    return {
        "info": {"description": "flowers"},
        "images": [image()] if images is None else images,
        "annotations": [box()] if annotations is None else annotations,
        "categories": CATEGORIES if categories is None else categories,
    }


def write(folder, content, name="instances.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path
