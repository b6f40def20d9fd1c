"""
Releases as datasets for training: PyTorch (extra ``torch``), Hugging Face (extra ``huggingface``), or a plain loop.

Example::

    from torch.utils.data import DataLoader
    from segments_async.training import image_tensor, mask_tensor, to_torch

    def load(item):
        return image_tensor(item.image), mask_tensor(item)

    if __name__ == "__main__":
        dataset = to_torch("flowers-v1.json", transform=load, cache="images", shuffle_buffer=1000)
        for epoch in range(10):
            dataset.set_epoch(epoch)
            for images, masks in DataLoader(dataset, batch_size=8, num_workers=4):
                ...

These functions are synchronous, as training loops are. Each reader runs a client in a thread of its own, which is
closed when the loop ends or is left, and at the latest when the process exits. ``docs/training.md`` is the guide.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from segments_async.training.pixels import boxes, category_mask, rgb
from segments_async.training.reading import ItemOptions, ItemReader, read_items

if TYPE_CHECKING:
    from segments_async.training.huggingface import to_huggingface
    from segments_async.training.pytorch import ReleaseDataset, box_target, image_tensor, mask_tensor, to_torch

__all__ = [
    "ItemOptions",
    "ItemReader",
    "ReleaseDataset",
    "box_target",
    "boxes",
    "category_mask",
    "image_tensor",
    "mask_tensor",
    "read_items",
    "rgb",
    "to_huggingface",
    "to_torch",
]

_MODULES = {"to_huggingface": "huggingface"}
"""The modules that need an extra of their own; what is not here is in ``pytorch``."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'pytorch')}"), name)


def __dir__() -> list[str]:
    return __all__
