"""The Python blocks of docs/training.md run as they stand, with the real PyTorch and ``datasets``."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import anyio
import numpy as np
import pytest
from doc_pages import blocks_of, run_block
from PIL import Image

from segments_async import AsyncSegments

PAGE = "docs/training.md"
COUNT = 4
CATEGORIES = [{"id": 1, "name": "violet"}]


async def build(url, key):
    """A dataset of images with bitmaps, and its release ``v1``."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "PNG")
    async with AsyncSegments(key, base_url=url) as client:
        task_attributes = {"format_version": "0.1", "categories": CATEGORIES}
        await client.datasets.create("flowers", task_type="segmentation-bitmap", task_attributes=task_attributes)
        for number in range(COUNT):
            image = await client.assets.upload(file.getvalue(), "image.png")
            sample = await client.samples.create("sandbox/flowers", f"s{number}", {"image": {"url": image.url}})
            ids = np.ones((48, 64), np.uint32)
            annotations = [{"id": 1, "category_id": 1}]
            await client.labels.put_bitmap(sample, "ground-truth", ids, annotations, label_status="LABELED")
        await client.releases.create("sandbox/flowers", "v1")
        await client.releases.wait("sandbox/flowers", "v1", poll=0.01)


LOOP = [f"s{number} (64, 48) 1" for number in range(COUNT)]
ITEMS = [f"s{number} None None (64, 48) 1" for number in range(COUNT)]
OBJECTS = ["[[0.0, 0.0, 64.0, 48.0]] [1]", "1 1"] * COUNT


@pytest.mark.usefixtures("_reader")
def test_blocks_that_need_no_framework(sandbox, capsys):
    """A reader without PyTorch and ``datasets`` can use the others."""
    anyio.run(build, sandbox.url, sandbox.api_key)
    names = {"__name__": "__main__"}
    for number, block in enumerate(blocks_of(PAGE)):
        if not any(word in block for word in ("torch", "huggingface")):
            run_block(PAGE, number, names)
    assert capsys.readouterr().out.splitlines() == [*LOOP, *["(64, 48) (48, 64) 1"] * COUNT, *ITEMS, *OBJECTS]


@pytest.mark.slow
@pytest.mark.usefixtures("_reader")
def test_the_page_as_a_script(sandbox, tmp_path):
    """All blocks in one file, which each worker imports where it is spawned; every image is seen once each time."""
    pytest.importorskip("torch", reason="PyTorch is not installed in this environment")
    pytest.importorskip("datasets", reason="datasets is not installed in this environment")
    anyio.run(build, sandbox.url, sandbox.api_key)
    script = Path("page.py")
    script.write_text("\n\n".join(blocks_of(PAGE)).replace("jane/flowers", "sandbox/flowers"), encoding="utf-8")
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, str(script)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    batch = "torch.Size([{0}, 3, 48, 64]) torch.Size([{0}, 48, 64])".format
    assert ended.stdout.splitlines() == [
        *[batch(2)] * 4,
        *[batch(1)] * 2,
        "s0 (64, 48) (64, 48) ['violet']",
        *["['s0', 's1', 's2', 's3']"] * 2,
        *LOOP,
        *["(64, 48) (48, 64) 1"] * COUNT,
        *ITEMS,
        *OBJECTS,
    ]
