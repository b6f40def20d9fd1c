from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from PIL import Image

from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox

CATEGORIES = [{"id": 3, "name": "violet"}, {"id": 7, "name": "rose"}]


def png_of(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (6, 4), (number, 0, 0)).save(file, "PNG")
    return file.getvalue()


class Service:
    """The sandbox, with a dataset of images whose red is their number, and a release file of it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.path = folder / "v1.json"
        self.client = partial(AsyncSegments, sandbox.api_key, base_url=sandbox.url)

    def build(self, count: int, **unusual: Any) -> Path:
        """Create *count* samples and a release; keys such as ``s3=b"no image"`` replace the files of samples."""
        anyio.run(self._build, count, unusual)
        return self.path

    async def _build(self, count: int, unusual: dict[str, Any]) -> None:
        async with self.client() as client:
            task_attributes: Any = {"format_version": "0.1", "categories": CATEGORIES}
            await client.datasets.create("flowers", task_type="segmentation-bitmap", task_attributes=task_attributes)
            for number in range(count):
                content = unusual.get(f"s{number}", png_of(number))
                image = await client.assets.upload(content, "image.png")
                sample = await client.samples.create("sandbox/flowers", f"s{number}", {"image": {"url": image.url}})
                ids = np.ones((4, 6), np.uint32)
                ids[0] = 0
                annotations = [{"id": 1, "category_id": 7}]
                await client.labels.put_bitmap(sample, "ground-truth", ids, annotations, label_status="LABELED")
            await client.releases.create("sandbox/flowers", "v1")
            await client.releases.wait("sandbox/flowers", "v1", poll=0.01)
            await client.releases.download("sandbox/flowers", "v1", self.path)


@pytest.fixture
def service(sandbox: Sandbox, tmp_path: Path) -> Service:
    return Service(sandbox, tmp_path)


@pytest.fixture
def environment(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a new client, also of a subprocess, use the sandbox."""
    monkeypatch.setenv("SEGMENTS_API_URL", service.sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", service.sandbox.api_key)
