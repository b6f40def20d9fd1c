"""`to_torch` with the real PyTorch; ``.ci/run`` installs it in an environment of its own."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segments_async import ApiError, DecodeError, InputError, ReleaseItem
from segments_async.models import ReleaseSample

torch = pytest.importorskip("torch", reason="PyTorch is not installed in this environment")
from segments_async.training import box_target, image_tensor, mask_tensor, to_torch  # noqa: E402 (needs torch)

DataLoader = torch.utils.data.DataLoader
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
FOLDER = Path(__file__).parent
METHODS = ["fork", "spawn", "forkserver"]


def number_of(item):
    return item.image.getpixel((0, 0))[0]


def load(item):
    return image_tensor(item.image), mask_tensor(item)


def fail_at_one(item):
    if number_of(item) == 1:
        raise KeyError("no such thing")
    return number_of(item)


def numbers(dataset, **options):
    return [int(number) for number in DataLoader(dataset, batch_size=None, **options)]


def test_without_workers(service):
    dataset = to_torch(service.build(3), client=service.client, transform=load)
    batches = list(DataLoader(dataset, batch_size=3))
    [(images, masks)] = batches
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert (images.shape, images.dtype) == ((3, 3, 4, 6), torch.uint8)
    assert masks[0].tolist() == [[255] * 6] + [[7] * 6] * 3
    assert masks.dtype == torch.int64


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("persistent", [False, True])
def test_each_once_over_workers(service, method, persistent):
    """Epoch after epoch, in an order that `set_epoch` chooses, also in workers that live on."""
    dataset = to_torch(service.build(9), client=service.client, transform=number_of, shuffle_buffer=9, seed=3)
    loader = DataLoader(
        dataset, batch_size=None, num_workers=2, multiprocessing_context=method, persistent_workers=persistent
    )
    epochs = []
    for epoch in (0, 1, 1):
        dataset.set_epoch(epoch)
        epochs.append([int(number) for number in loader])
    assert [sorted(epoch) for epoch in epochs] == [list(range(9))] * 3
    assert epochs[0] != epochs[1] == epochs[2]


def test_items_pass_unchanged(service):
    """Without a transform: neither the loader nor `tree_map` takes an item apart."""
    items = list(DataLoader(to_torch(service.build(3), client=service.client), batch_size=None, num_workers=2))
    assert sorted(item.sample.name for item in items) == ["s0", "s1", "s2"]
    assert [type(item) for item in items] == [ReleaseItem] * 3
    mapped = torch.utils._pytree.tree_map(lambda leaf: leaf, items)
    assert [(item.frame, item.annotations) for item in mapped] == [(item.frame, item.annotations) for item in items]
    assert np.array_equal(mapped[0].bitmap, items[0].bitmap)


@pytest.mark.parametrize("method", METHODS)
def test_an_error_of_a_worker(service, method):
    """Its class and text reach the loop."""
    dataset = to_torch(service.build(3, s1=b"no image"), client=service.client, transform=number_of)
    with pytest.raises(DecodeError, match=r"the image of sample 's1'.* is not an image"):
        numbers(dataset, num_workers=1, multiprocessing_context=method)


def test_an_error_of_the_service(service):
    """`ApiError` is rebuilt from its text alone."""
    path = service.build(2)
    service.sandbox.fail("GET", "*", origin="storage", status=404, times=None)
    with pytest.raises(ApiError, match="404") as caught:
        numbers(to_torch(path, client=service.client, transform=number_of), num_workers=1)
    assert caught.value.status is None


def test_an_error_of_the_transform(service, caplog):
    path = service.build(4, s3=b"no image")
    with pytest.raises(KeyError, match="no such thing") as caught:
        numbers(to_torch(path, client=service.client, transform=fail_at_one))
    assert caught.value.__notes__ == ["while transforming an image of sample 's1'"]
    with caplog.at_level(logging.WARNING, "segments_async"):
        found = numbers(to_torch(path, client=service.client, transform=fail_at_one, on_error="skip"))
    assert found == [0, 2]
    assert ["left out sample 's1', which cannot" in text or "sample 's3'" in text for text in caplog.messages] == [
        True
    ] * 2


def test_leaving_early_and_again(service):
    """Each loop over the loader is an epoch of its own, also after a break."""
    loader = DataLoader(
        to_torch(service.build(6), client=service.client, transform=number_of), batch_size=None, num_workers=2
    )
    for _ in range(2):
        for _ in loader:
            break
    assert sorted(int(number) for number in loader) == list(range(6))


def test_workers_after_a_loop_without(service):
    """The first loop was left, so its thread may still be there when the workers fork."""
    dataset = to_torch(service.build(6), client=service.client, transform=number_of)
    iterator = iter(dataset)
    next(iterator)
    assert sorted(numbers(dataset, num_workers=2, multiprocessing_context="fork")) == list(range(6))
    assert list(iterator) == [1, 2, 3, 4, 5]


def test_copies(service):
    """As Lightning and Accelerate make them; the epoch and the key survive, and the key is not shown."""
    dataset = to_torch(service.build(2), client=service.client, transform=number_of)
    dataset.set_epoch(4)
    for other in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        assert int(other._epoch) == 4
        assert other._epoch.is_shared()
        assert numbers(other) == [0, 1]
    assert service.sandbox.api_key not in repr(dataset) + repr(vars(dataset))
    with pytest.raises(InputError, match="epoch"):
        dataset.set_epoch(-1)


@pytest.mark.parametrize(
    ("variables", "shard"),
    [
        ({}, None),
        ({"RANK": "1"}, None),
        ({"RANK": "1", "WORLD_SIZE": "3"}, (1, 3)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, (0, 1)),
    ],
)
def test_the_launcher_says_the_rank(variables, shard, monkeypatch):
    from segments_async.training.pytorch import shard_of_process  # noqa: PLC0415 (needs torch)

    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert shard_of_process() == shard


@pytest.mark.parametrize(("rank", "ranks"), [("3", "3"), ("-1", "2"), ("one", "2"), ("0", "")])
def test_a_rank_that_cannot_be(rank, ranks, monkeypatch, service):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", ranks)
    path = service.build(2)
    with pytest.raises(InputError, match=r"RANK=.* do not fit together; pass shard="):
        numbers(to_torch(path, client=service.client, transform=number_of))
    assert numbers(to_torch(path, client=service.client, transform=number_of, shard=(1, 2))) == [1]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("method", METHODS)
def test_ranks_and_workers(service, method):
    """Two processes of ``torch.distributed`` over gloo, with two workers each: each sample once per epoch."""
    path = service.build(11)
    command = [sys.executable, str(FOLDER / "rank.py"), str(path), str(service.folder / "store"), method]
    ranks = [subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, text=True) for rank in range(2)]
    printed = [rank.communicate(timeout=240)[0].splitlines() for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0]
    assert [len(lines) for lines in printed] == [2, 2]
    for epoch in range(2):
        first, second = ([int(word) for word in lines[epoch].split()] for lines in printed)
        assert sorted(first + second) == list(range(11))
        assert (len(first), len(second)) == (6, 5)


ENDS = {"raise ValueError('x')": 1, "sys.exit(3)": 3, "signal.raise_signal(signal.SIGINT)": -signal.SIGINT}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("end", ENDS)
def test_a_script_ends_in_the_middle_of_an_epoch(service, workers, end):
    """With its own code, without a worker that stays."""
    command = [sys.executable, str(FOLDER / "script.py"), str(service.build(6)), str(workers), end]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.stdout, ended.returncode) == ("started\n", ENDS[end]), ended.stderr


def test_sixteen_bits(service):
    """A grey image of 16 bits is grey, not white."""
    file = io.BytesIO()
    Image.fromarray(np.full((4, 6), 25_700, np.uint16)).save(file, "PNG")
    path = service.build(1, s0=file.getvalue())
    [image] = DataLoader(to_torch(path, client=service.client, transform=lambda item: image_tensor(item.image)))
    assert image.unique().tolist() == [100]


def test_tensors():
    image = Image.new("RGB", (2, 1), (0, 51, 255))
    assert image_tensor(image, torch.float32)[:, 0, 0].tolist() == pytest.approx([0, 0.2, 1])
    assert image_tensor(image, torch.float16).dtype == torch.float16
    assert image_tensor(image).is_contiguous()
    shapes = [{"id": 1, "category_id": 2, "type": "bbox", "points": [[0, 0], [2, 1]]}]
    target = box_target(ReleaseItem(ReleaseSample(name="s"), image, None, None, annotations=shapes))
    assert (target["boxes"].tolist(), target["labels"].tolist()) == ([[0, 0, 2, 1]], [2])
