"""What the tests of the command line run, write and read."""

from __future__ import annotations

import json
import sys

PROGRAM = [sys.executable, "-m", "segments_async"]


def write_lines(path, values):
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def label(uuid, category=1):
    box = {"id": 1, "category_id": category, "type": "bbox", "points": [[0, 0], [2, 2]]}
    return {"sample_uuid": uuid, "attributes": {"format_version": "0.1", "annotations": [box]}}
