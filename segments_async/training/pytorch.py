"""A release as an iterable dataset of PyTorch (extra ``torch``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import numpy as np

from segments_async import AsyncSegments
from segments_async._validators import is_count
from segments_async.errors import InputError
from segments_async.training.pixels import UNLABELED, boxes, category_mask, rgb
from segments_async.training.reading import ItemOptions, Reading

try:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError as _error:
    raise ImportError(
        f'to_torch and tensors need an extra: pip install "segments-async[torch]" ({_error})', name=_error.name
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import Image

    from segments_async import ReleaseItem
    from segments_async._releases.source import ReleaseSource

T = TypeVar("T")


@overload
def to_torch(
    source: ReleaseSource,
    name: str | None = None,
    *,
    transform: None = None,
    shard: tuple[int, int] | None = None,
    client: Callable[[], AsyncSegments] = AsyncSegments,
    **options: Unpack[ItemOptions],
) -> ReleaseDataset[ReleaseItem]: ...


@overload
def to_torch(
    source: ReleaseSource,
    name: str | None = None,
    *,
    transform: Callable[[ReleaseItem], T],
    shard: tuple[int, int] | None = None,
    client: Callable[[], AsyncSegments] = AsyncSegments,
    **options: Unpack[ItemOptions],
) -> ReleaseDataset[T]: ...


def to_torch(
    source: ReleaseSource,
    name: str | None = None,
    *,
    transform: Callable[[ReleaseItem], Any] | None = None,
    shard: tuple[int, int] | None = None,
    client: Callable[[], AsyncSegments] = AsyncSegments,
    **options: Unpack[ItemOptions],
) -> ReleaseDataset[Any]:
    """
    Make an iterable dataset of a release: each image once per epoch, over all workers and ranks (extra ``torch``).

    Example::

        def load(item):
            return image_tensor(item.image), mask_tensor(item)

        if __name__ == "__main__":  # workers that are spawned import this file
            dataset = to_torch("flowers-v1.json", transform=load, cache="images", shuffle_buffer=1000)
            for images, masks in DataLoader(dataset, batch_size=8, num_workers=4):
                ...

    With a client of its own, each worker reads every (ranks x workers)-th sample, starting at rank x workers + worker.
    Some ranks may have more images than others; ``docs/training.md`` says what to do.

    Args:
        source: The path of a release file, which is best; or a dataset, together with *name*; or a `Release`, or the
            URL of a file. All but a path are downloaded by each worker in each epoch, unless there is a *cache*.
        name: The release's name.
        transform: Called with each `ReleaseItem` in the worker; its results are the dataset's. It must be a function
            of a module, not a lambda, where workers are not forked. None yields the items, for ``batch_size=None``.
        shard: ``(rank, ranks)`` of this process among those that share the release. By default those of
            ``torch.distributed`` if it is initialised, or those of the variables ``RANK`` and ``WORLD_SIZE``. Pass
            ``(0, 1)`` where something else divides the data: Accelerate and the Trainer of ``transformers`` do.
        client: Called in each worker to make its client, such as ``functools.partial(AsyncSegments, api_key)``.
        options: The other arguments of ``client.releases.iterate``. With ``on_error="skip"``, an item that *transform*
            cannot transform is left out too; what is left out is logged as a warning on ``segments_async``.

    Returns:
        A dataset for a ``DataLoader``, of what *transform* returns or of each `ReleaseItem`. It has no length.

    Raises:
        InputError: An argument is invalid.
        AuthenticationError: There is no API key.
    """
    return ReleaseDataset(Reading.of(source, name, client, options, shard=shard), transform, shard)


class ReleaseDataset(IterableDataset[T]):
    """
    The images of a release, from `to_torch`. Each loop over it, or over its ``DataLoader``, is an epoch.

    Example::

        loader = DataLoader(dataset, batch_size=8, num_workers=4, persistent_workers=True)
        for epoch in range(10):
            dataset.set_epoch(epoch)
            for images, masks in loader:
                ...
    """

    def __init__(
        self, reading: Reading, transform: Callable[[ReleaseItem], T] | None, shard: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self._reading = reading
        self._transform = transform
        self._shard = shard
        self._shard_of_parent: tuple[int, int] | None = None
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # persistent workers see its changes

    def set_epoch(self, epoch: int) -> None:
        """
        Choose the order of the next epoch, which is that of the seed plus *epoch*; persistent workers follow.

        Example::

            dataset.set_epoch(3)

        Args:
            epoch: From 0. The same epoch has the same order in every run.

        Raises:
            InputError: It is not a whole number.
        """
        if not is_count(epoch) or epoch < 0:
            raise InputError(f"expected a whole number of at least 0, got {epoch!r}", path="epoch")
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[T]:
        return self._reading.results(
            _unchanged if self._transform is None else self._transform,
            shard=self._shard_of_worker(),
            epoch=int(self._epoch),
        )

    def _shard_of_worker(self) -> tuple[int, int]:
        worker = get_worker_info()
        if self._shard is not None:
            rank, ranks = self._shard
        else:
            found = shard_of_process()
            if found is None and worker is not None:
                found = self._shard_of_parent
            rank, ranks = found or (0, 1)
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        return rank * workers + number, ranks * workers

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is spawned has no process group, so the one that starts it says its rank.
        return {**self.__dict__, "_shard_of_parent": shard_of_process() or self._shard_of_parent}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._epoch.share_memory_()  # a copy is not shared; in a worker, it is already


def _unchanged(item: Any) -> Any:
    return item


def shard_of_process() -> tuple[int, int] | None:
    """
    Return ``(rank, ranks)`` of this process, as ``torch.distributed`` or its launcher says; None if there is only one.

    Raises:
        InputError: ``RANK`` and ``WORLD_SIZE`` are not numbers that fit together.
    """
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    rank, ranks = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None or ranks is None:
        return None
    try:
        shard = int(rank), int(ranks)
    except ValueError:
        shard = -1, 0
    if not 0 <= shard[0] < shard[1]:
        raise InputError(f"RANK={rank!r} and WORLD_SIZE={ranks!r} do not fit together; pass shard=", path="shard")
    return shard


def image_tensor(image: Image.Image | None, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    """
    Convert an image of any mode to a tensor of red, green and blue.

    Example::

        pixels = image_tensor(item.image.resize((640, 480)))

    Args:
        image: An image from Pillow. Grey images of 16 bits are scaled, not clipped.
        dtype: ``torch.uint8``, 0 to 255; or a floating type, 0 to 1, which keeps all 16 bits.

    Returns:
        3 x height x width.

    Raises:
        InputError: There is no image, or its values have no known range: floats, or integers beyond 16 bits.
    """
    array = rgb(image, np.float32 if dtype.is_floating_point else np.uint8)
    return torch.from_numpy(array).permute(2, 0, 1).contiguous().to(dtype)


def mask_tensor(item: ReleaseItem, *, unlabeled: int = UNLABELED, id_increment: int = 0) -> torch.Tensor:
    """
    Return the category of each pixel, as `category_mask` does, for ``CrossEntropyLoss(ignore_index=255)``.

    Example::

        mask = mask_tensor(item, unlabeled=255)

    Args:
        item: An item of a segmentation dataset; one without a label is unlabelled as a whole.
        unlabeled: The value of pixels without a category.
        id_increment: Added to each category's id, such as -1 for classes that start at 0.

    Returns:
        Height x width, int64.

    Raises:
        InputError: As in `category_mask`.
        DecodeError: The bitmap is not as large as the image.
    """
    mask = category_mask(item, unlabeled=unlabeled, id_increment=id_increment)
    return torch.from_numpy(mask.astype(np.int64))


def box_target(item: ReleaseItem) -> dict[str, torch.Tensor]:
    """
    Return the boxes of an item's objects as torchvision's detectors take them; see `boxes`.

    Example::

        target = box_target(item)
        print(target["boxes"].shape, target["labels"])

    Args:
        item: An item of a dataset of images.

    Returns:
        ``boxes``, float32, objects x 4: left, top, right and bottom in pixels. ``labels``, int64: category ids, so 0
        must not be one of them, as it is the background.
    """
    found = boxes(item)
    return {"boxes": torch.from_numpy(found.corners), "labels": torch.from_numpy(found.categories)}
