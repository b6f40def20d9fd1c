from __future__ import annotations

import json
from typing import Any

import pytest

BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3.5, 4]]}
LABELSETS = [{"name": "ground-truth"}, {"name": "model"}]


def label(status: str = "LABELED", *categories: int) -> dict[str, Any]:
    annotations = [{**BOX, "id": place, "category_id": category} for place, category in enumerate(categories or (1,))]
    return {"label_status": status, "attributes": {"format_version": "0.1", "annotations": annotations}}


def sample(number: int, **keys: Any) -> dict[str, Any]:
    return {
        "uuid": f"u-{number}",
        "name": f"{number}.png",
        "attributes": {"image": {"url": f"https://example.com/{number}.png"}},
        "metadata": {"city": "London" if number % 2 else "Paris", "night": number % 3 == 0},
        "labels": {"ground-truth": label(), "model": None},
        **keys,
    }


def release(samples: list[Any], **dataset: Any) -> dict[str, Any]:
    return {
        "name": "v1",
        "description": "First.",
        "created_at": "2026-11-22T10:00:00Z",
        "dataset": {
            "name": "flowers",
            "owner": "jane",
            "task_type": "vector",
            "task_attributes": {"categories": [{"id": 1, "name": "violet"}, {"id": 2, "name": "rose"}]},
            "labelsets": LABELSETS,
            **dataset,
            "samples": samples,
        },
    }


class ReleaseFiles:
    """Makes release files and their parts."""

    label = staticmethod(label)
    sample = staticmethod(sample)
    release = staticmethod(release)

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    def write(self, content: Any, name: str = "v1.json") -> Any:
        """Write a file: a JSON value, text or bytes."""
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def write_release(self, samples: list[Any], **dataset: Any) -> Any:
        return self.write(release(samples, **dataset))


@pytest.fixture
def files(tmp_path: Any) -> ReleaseFiles:
    return ReleaseFiles(tmp_path)
