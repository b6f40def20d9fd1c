"""The worked examples of docs/contributing.md work when they are added to a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
IMPORTS = {
    "segments_async/resources/labelsets.py": "from segments_async._wire.routes import UPDATE_LABELSET\n",
    "segments_async/resources/labels/resource.py": (
        "from segments_async.resources.labels.review import ReviewLabels\n"
    ),
}
"""What the page leaves to the reader."""

TRY = """
import asyncio
import httpx
import segments_async
from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox

assert segments_async.__file__.startswith({folder!r})

def answer(request):
    assert (request.method, request.url.path) == ("PATCH", "/datasets/jane/flowers/labelsets/model/")
    return httpx.Response(200, json={{"name": "model", "description": "New."}})

async def main():
    async with AsyncSegments("key", transport=httpx.MockTransport(answer)) as client:
        labelset = await client.labelsets.update("jane/flowers", "model", description="New.")
        assert labelset.description == "New."
    async with Sandbox() as sandbox, AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        await client.datasets.create("flowers", task_type="vector")
        sample = await client.samples.create("sandbox/flowers", "a", {{"image": {{"url": "https://x.test/a.png"}}}})
        await client.labels.put(sample.uuid, "ground-truth", {{"annotations": []}})
        report = await client.labels.review_many([sample.uuid, "of-no-sample"])
        assert report.counts == {{"done": 1, "failed": 1}}, report
        assert (await client.labels.get(sample.uuid)).label_status == "REVIEWED"

asyncio.run(main())
"""


def test_there_are_examples():
    assert len(BLOCKS) == 6
    assert [path for path, text in BLOCKS if len(text.splitlines()) > 20] == []


@pytest.mark.slow
def test_the_examples_work(tmp_path):
    """Each block stands at the end of the file that its first line names."""
    shutil.copytree(ROOT / "segments_async", tmp_path / "segments_async", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    for name, text in BLOCKS:
        file = tmp_path / name
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        last_import = "from segments_async.resources._base import "
        before = before.replace(last_import, IMPORTS.get(name, "") + last_import, 1)
        separator = "\n" if text.startswith("    ") else "\n\n"
        file.write_text(f"{before}{separator if before else ''}{text}", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for command in (
        ["-c", TRY.format(folder=str(tmp_path))],
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_quota.py"],
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
