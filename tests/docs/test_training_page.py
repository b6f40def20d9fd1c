"""The Python blocks of docs/training.md run as they stand, with stand-ins for PyTorch and ``datasets``."""

from __future__ import annotations

import io
import sys
from types import ModuleType, SimpleNamespace

import anyio
import numpy as np
import pytest
from PIL import Image

from segments_async import AsyncSegments

COUNT = 4


class Tensor:
    """As much of a tensor as the guide uses."""

    def __init__(self, array):
        self.array = array
        self.shape = array.shape

    def permute(self, *axes):
        return Tensor(self.array.transpose(axes))


class DataLoader:
    """Iterates as each worker in turn would, with the shard that `get_worker_info` names there."""

    def __init__(self, dataset, *, batch_size, num_workers):
        self.dataset = dataset
        self.workers = num_workers

    def __iter__(self):
        for number in range(self.workers):
            DataLoader.worker = SimpleNamespace(id=number, num_workers=self.workers)
            yield from self.dataset

    worker = None


class IterableDataset:
    """As much of Hugging Face's as the guide uses."""

    @classmethod
    def from_generator(cls, generator, gen_kwargs):
        dataset = cls()
        dataset.__class__ = type("_", (cls,), {"__iter__": lambda _: generator(**gen_kwargs)})
        return dataset


@pytest.fixture
def _libraries(monkeypatch):
    torch, datasets = ModuleType("torch"), ModuleType("datasets")
    torch.from_numpy = Tensor
    torch.utils = SimpleNamespace(
        data=SimpleNamespace(IterableDataset=object, DataLoader=DataLoader, get_worker_info=lambda: DataLoader.worker)
    )
    datasets.IterableDataset = IterableDataset
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "datasets", datasets)


async def build(url, key):
    """A dataset of images with bitmaps, and its release ``v1``."""
    file = io.BytesIO()
    Image.new("RGB", (6, 4)).save(file, "PNG")
    async with AsyncSegments(key, base_url=url) as client:
        await client.datasets.create("flowers", task_type="segmentation-bitmap")
        for number in range(COUNT):
            image = await client.assets.upload(file.getvalue(), "image.png")
            sample = await client.samples.create("sandbox/flowers", f"s{number}", {"image": {"url": image.url}})
            ids = np.ones((4, 6), np.uint32)
            annotations = [{"id": 1, "category_id": 1}]
            await client.labels.put_bitmap(sample, "ground-truth", ids, annotations, label_status="LABELED")
        await client.releases.create("sandbox/flowers", "v1")
        await client.releases.wait("sandbox/flowers", "v1", poll=0.01)


@pytest.mark.usefixtures("_libraries")
def test_training(sandbox, run_page):
    """A reader who copies the blocks, one after the other, sees every sample once each time."""
    anyio.run(build, sandbox.url, sandbox.api_key)
    assert run_page("docs/training.md") == [
        [f"s{number} (6, 4) (4, 6) 1" for number in range(COUNT)],
        [f"s{number} None None (6, 4) 1" for number in range(COUNT)],
        [],
        ["(3, 4, 6) (4, 6)"] * COUNT,
        [f"s{number} LABELED" for number in range(COUNT)],
    ]
