"""The application holds all of anyio's threads: whatever the client does in a thread still ends."""

from __future__ import annotations

import io
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from PIL import Image

from segments_async import AsyncSegments, open_release

pytestmark = pytest.mark.anyio

SECONDS = 10
"""Not for ever."""
ROWS = [{"name": f"row-{number}", "attributes": {"image": {"url": "https://x.test/a.png"}}} for number in range(3)]


class World:
    """A dataset with images, their release, and a folder."""

    def __init__(self, client: AsyncSegments, dataset: str, folder: anyio.Path) -> None:
        self.client = client
        self.dataset = dataset
        self.folder = folder

    async def read(self) -> None:
        [sample, *_] = await self.client.samples.list(self.dataset)
        assert await self.client.assets.read(sample.image.url)

    async def upload_a_file_object(self) -> None:
        await self.client.assets.upload(io.BytesIO(b"x" * 3_000_000), "a.bin")

    async def upload_files(self) -> None:
        call = self.client.samples.upload_files
        report = await call(self.dataset, str(self.folder / "images"), checkpoint=str(self.folder / "checkpoint"))
        assert not report.failed

    async def create_with_a_checkpoint(self) -> None:
        call = self.client.samples.create_many
        assert not (await call(self.dataset, ROWS, checkpoint=str(self.folder / "checkpoint"))).failed

    async def create_from_an_iterator(self) -> None:
        assert not (await self.client.samples.create_many(self.dataset, iter(ROWS))).failed

    async def download_many(self) -> None:
        urls = [sample.image.url for sample in await self.client.samples.list(self.dataset)]
        report = await self.client.assets.download_many(urls, str(self.folder / "downloads"))
        assert len(report.results) == 2
        assert not report.failed

    async def release_file(self) -> None:
        path = await self.client.releases.download(self.dataset, "v1", str(self.folder / "v1.json"))
        async with open_release(path) as release:
            assert len([sample async for sample in release.samples()]) == 2
            await release.summary()

    async def iterate(self) -> None:
        async with self.client.releases.iterate(await self.client.releases.get(self.dataset, "v1")) as items:
            assert len([item async for item in items]) == 2

    async def export(self) -> None:
        await self.client.releases.export(
            await self.client.releases.get(self.dataset, "v1"), str(self.folder / "export"), "coco-instance"
        )

    async def export_a_table(self) -> None:
        await self.client.releases.export(
            await self.client.releases.get(self.dataset, "v1"), str(self.folder / "export"), "parquet"
        )


CALLS: dict[str, Callable[[World], object]] = {
    name: call for name, call in vars(World).items() if not name.startswith("_")
}


@pytest.fixture
async def world(client: AsyncSegments, tmp_path: Path) -> AsyncIterator[World]:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(2):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(images / f"{number}.png")
    dataset = await client.datasets.create("threads", task_type="vector")
    await client.samples.upload_files(dataset, images)
    await client.releases.create(dataset, "v1")
    await client.releases.wait(dataset, "v1", poll=0.01)
    release = threading.Event()
    limiter = to_thread.current_default_thread_limiter()
    async with anyio.create_task_group() as routes:
        for _ in range(int(limiter.total_tokens)):
            routes.start_soon(to_thread.run_sync, release.wait)
        await anyio.wait_all_tasks_blocked()
        assert not limiter.available_tokens
        try:
            yield World(client, dataset.full_name, anyio.Path(tmp_path))
        finally:
            release.set()


@pytest.mark.parametrize("name", CALLS)
async def test_call(world, name):
    with anyio.fail_after(SECONDS):
        await CALLS[name](world)
