"""`ReleaseItem` keeps everything through whatever training code does with it, and a loop over spent items says so."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from segments_async import ClientStateError, Label, ReleaseItem
from segments_async.models import CalibratedImage, ReleaseSample

pytestmark = pytest.mark.anyio
FIELDS = ("sample", "image", "label", "bitmap", "frame", "sensor", "camera", "annotations", "file")


@pytest.fixture
def item():
    return ReleaseItem(
        ReleaseSample(uuid="u", name="n"),
        Image.new("RGB", (3, 2)),
        Label(label_status="LABELED"),
        np.array([[1, 2, 3]], np.uint32),
        frame=4,
        sensor="front",
        camera=CalibratedImage(url="https://example.com/a.png"),
        annotations=({"id": 1},),
    )


def extras(item):
    return item.frame, item.sensor, item.camera, item.annotations


def test_it_unpacks_to_four(item):
    sample, image, label, bitmap = item

    assert (sample, image, label, bitmap) == item[:4] == tuple(item)
    assert (len(item), item[0], item[-1] is item.bitmap) == (4, item.sample, True)


def test_replace(item):
    other = item._replace(image=None, frame=5)

    assert (other.image, other.frame, other.sensor, other.annotations) == (None, 5, "front", item.annotations)
    assert tuple(item._asdict()) == FIELDS
    assert item.frame == 4
    with pytest.raises(AttributeError):
        item.frame = 6


@pytest.mark.parametrize("convert", [copy.copy, copy.deepcopy, lambda item: pickle.loads(pickle.dumps(item))])
def test_copies(item, convert):
    other = convert(item)

    assert extras(other) == extras(item)
    assert np.array_equal(other.bitmap, item.bitmap)
    assert other.image.size == (3, 2)
    assert other.sample == item.sample


def test_it_is_neither_a_tuple_nor_a_sequence(item):
    """PyTorch would build these again from four values; ``tests/training/test_torch.py`` shows that it does not."""
    assert not isinstance(item, tuple | Sequence)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace is new in 3.13")
def test_copy_replace(item):
    assert extras(copy.replace(item, image=None)) == extras(item)


async def test_a_second_loop(client, files, sandbox):
    """It does not end at once as if there were no items."""
    path = files.write_release([files.sample(number) for number in range(3)])
    async with client.releases.iterate(path, images=False) as items:
        assert [item.sample.name async for item in items] == ["0.png", "1.png", "2.png"]
        with pytest.raises(ClientStateError, match=r"all items were taken; call releases.iterate\(\) again"):
            async for _ in items:
                pass
        assert await anext(items, None) is None


async def test_a_loop_that_is_resumed(client, files):
    """A loop that was left early continues where it was."""
    path = files.write_release([files.sample(number) for number in range(3)])
    async with client.releases.iterate(path, images=False) as items:
        async for item in items:
            assert item.sample.name == "0.png"
            break
        assert [item.sample.name async for item in items] == ["1.png", "2.png"]


async def test_a_shard_decodes_only_what_it_keeps(client, files, monkeypatch):
    """Samples of other shards are parsed, but no models are made of them."""
    from segments_async._releases import file  # noqa: PLC0415 (patched)

    path = files.write_release([files.sample(number) for number in range(10)])
    decoded = []
    real = file.structure

    def note(value, kind):
        if kind is ReleaseSample:
            decoded.append(value["name"])
        return real(value, kind)

    monkeypatch.setattr(file, "structure", note)
    async with client.releases.iterate(path, images=False, shard=(1, 4)) as items:
        names = [item.sample.name async for item in items]

    assert names == decoded == ["1.png", "5.png", "9.png"]


async def test_shards_with_samples_that_do_not_decode(client, files):
    """Each sample belongs to one shard, and each error is reported by one."""
    samples = [files.sample(number) for number in range(9)]
    samples[2]["name"] = 3
    samples[5] = "no sample"
    path = files.write_release(samples)
    names, skipped = [], []
    for index in range(4):
        async with client.releases.iterate(path, images=False, shard=(index, 4), on_error="skip") as items:
            names += [item.sample.name async for item in items]
            skipped += [failure.error.path for failure in items.skipped]

    assert sorted(names) == [f"{number}.png" for number in range(9) if number not in {2, 5}]
    assert sorted(skipped) == ["dataset.samples[2].name", "dataset.samples[5]"]
