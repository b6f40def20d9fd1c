"""A process that makes one bulk run with a checkpoint, for `test_killed_process.py` to kill."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio

from segments_async import AsyncSegments, LabelPut

DATASET = "sandbox/flowers"
BOXES = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}]}


async def main(kind: str, url: str, key: str, checkpoint: str, items: list[str]) -> None:
    async with AsyncSegments(key, base_url=url, max_connections=4) as client:
        options = {"checkpoint": checkpoint, "batch_size": 5}
        if kind == "labels":
            labels = [LabelPut(uuid, BOXES) for uuid in items]
            report = await client.labels.put_many(labels, checkpoint=checkpoint)
        elif kind == "files":
            report = await client.samples.upload_files(DATASET, map(Path, items), **options)
        else:
            samples = [
                {"name": name, "attributes": {"image": {"url": f"https://example.com/{name}"}}} for name in items
            ]
            report = await client.samples.create_many(DATASET, samples, if_exists=kind, **options)
    print(json.dumps(report.counts))  # noqa: T201


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:5], json.loads(sys.stdin.read()), backend="asyncio")
