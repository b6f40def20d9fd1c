"""``segments-async samples list --format csv|parquet``, in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import anyio
import pandas as pd
import pyarrow.parquet as pq
import pytest

from segments_async import AsyncSegments


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
