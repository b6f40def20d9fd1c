"""``segments-async samples list --format csv|parquet``, in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import anyio
import pandas as pd
import pyarrow.parquet as pq
import pytest

from segments_async import AsyncSegments

BOX = {"id": 1, "category_id": 2, "type": "bbox", "points": [[1, 2], [3, 4]]}


async def fill(sandbox):
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        await client.datasets.create("flowers")
        frames = {"frames": [{"image": {"url": "https://x.test/0.png"}}, {"image": {"url": "https://x.test/1.png"}}]}
        image = {"image": {"url": "https://x.test/a,b.png"}}
        metadata = {"city": 'a "quoted", name\nin two lines'}
        items = [{"name": "a.png", "attributes": image, "metadata": metadata}, {"name": "clip", "attributes": frames}]
        (await client.samples.create_many("sandbox/flowers", items)).raise_if_failed()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_list(sandbox, kind):
    anyio.run(fill, sandbox)
    command = [sys.executable, "-m", "segments_async", "samples", "list", "sandbox/flowers", "--format", kind]
    environment = {**os.environ, "SEGMENTS_API_KEY": sandbox.api_key, "SEGMENTS_API_URL": sandbox.url}
    written = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    frame = pd.read_csv(io.BytesIO(written)) if kind == "csv" else pq.read_table(io.BytesIO(written)).to_pandas()
    assert frame["name"].to_list() == ["a.png", "clip"]
    assert frame["url"][0] == "https://x.test/a,b.png"
    assert frame["metadata"][0] == '{"city":"a \\"quoted\\", name\\nin two lines"}'
    urls = frame["urls"][1]
    assert (urls if kind == "csv" else list(urls)) == (
        '["https://x.test/0.png","https://x.test/1.png"]'
        if kind == "csv"
        else ["https://x.test/0.png", "https://x.test/1.png"]
    )


def test_export(tmp_path):
    """Both files, from a release on disk; no key is needed."""
    label = {"label_status": "LABELED", "attributes": {"annotations": [BOX]}}
    samples = [{"name": "a", "uuid": "u", "attributes": {"image": {"url": "x"}}, "labels": {"ground-truth": label}}]
    categories = {"format_version": "0.1", "categories": [{"name": "rose", "id": 2}]}
    dataset = {"name": "flowers", "task_type": "bboxes", "task_attributes": categories, "samples": samples}
    (tmp_path / "v1.json").write_text(json.dumps({"name": "v1", "dataset": dataset}), encoding="utf-8")
    arguments = ["releases", "export", "v1.json", "out", "parquet"]
    done = subprocess.run([sys.executable, "-m", "segments_async", *arguments], cwd=tmp_path, check=True, text=True,
                          stdout=subprocess.PIPE)  # fmt: skip
    assert done.stdout == "1 exported to out, 0 without a label\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["labels.parquet", "samples.parquet"]
    assert pq.read_table(tmp_path / "out" / "labels.parquet")["category"].to_pylist() == ["rose"]
    assert pq.read_table(tmp_path / "out" / "samples.parquet")["label_status"].to_pylist() == ["LABELED"]
    again = [sys.executable, "-m", "segments_async", *arguments, "--json"]
    refused = subprocess.run([*again, "--id-increment", "1"], cwd=tmp_path, text=True, capture_output=True, check=False)
    assert refused.returncode != 0
    assert "--id-increment: 'parquet' has neither images nor classes" in refused.stderr
    dataset["samples"].append({"name": 5})
    (tmp_path / "v1.json").write_text(json.dumps({"name": "v1", "dataset": dataset}), encoding="utf-8")
    skipped = subprocess.run(
        [*again, "--skip", "--overwrite"], cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert skipped.returncode == 1
    assert "samples[1]" in json.loads(skipped.stdout)["failures"][0]
