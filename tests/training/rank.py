"""One rank of a distributed training: prints the numbers of its images, an epoch a line."""

from __future__ import annotations

import sys

import torch.distributed
from torch.utils.data import DataLoader

from segments_async.training import to_torch


def number_of(item):
    return item.image.getpixel((0, 0))[0]


def main(path, store, method, rank):
    dataset = to_torch(path, transform=number_of, shuffle_buffer=4)  # before the process group exists
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=int(rank), world_size=2)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=method)
    for epoch in range(2):
        dataset.set_epoch(epoch)
        sys.stdout.write(" ".join(str(int(number)) for number in loader) + "\n")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
