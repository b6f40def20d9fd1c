"""Memory of `iterate`: a budget in bytes, granted in the order of the file, that never blocks the next item."""

from __future__ import annotations

import io

import anyio
import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image
from waiting import until

from segments_async import DecodeError
from segments_async._releases import loading
from segments_async._streams.budget import Budget
from segments_async.images import encode_bitmap

pytestmark = pytest.mark.anyio

DATASET = "sandbox/flowers"
SIZE = (100, 50)
PIXELS = SIZE[0] * SIZE[1]
LARGEST_SHARE = 4 * PIXELS * (2 + 3) + 2000
"""An image and its copy, a bitmap and its copies, and both files, while they are decoded."""


async def test_shares_are_served_in_order():
    """A small request does not overtake a large one, and the first share gets whatever it asks for."""
    budget = Budget(100)
    shares = [budget.share() for _ in range(4)]
    granted = []

    async def reserve(index, size):
        await shares[index].reserve(size)
        granted.append(index)

    async with anyio.create_task_group() as group:
        await shares[1].reserve(90)
        group.start_soon(reserve, 3, 5)
        await anyio.wait_all_tasks_blocked()
        assert granted == [3]
        group.start_soon(reserve, 2, 50)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(reserve, 3, 1)
        await anyio.wait_all_tasks_blocked()
        assert granted == [3]
        group.start_soon(reserve, 0, 1000)
        await anyio.wait_all_tasks_blocked()
        assert granted == [3, 0]
        shares[0].close()
        await anyio.wait_all_tasks_blocked()
        assert granted == [3, 0]
        shares[1].close()
    assert sorted(granted[2:]) == [2, 3]
    assert budget.used == 56


async def test_a_cancelled_wait_does_not_block_others():
    budget = Budget(10)
    shares = [budget.share() for _ in range(3)]
    await shares[1].reserve(10)
    with anyio.move_on_after(0.01) as scope:
        await shares[2].reserve(5)
    assert scope.cancelled_caught

    shares[1].release(10)
    await shares[2].reserve(10)

    assert budget.used == 10


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=12), st.integers(0, 100))
def test_every_job_gets_its_turn(sizes, limit):
    """Whatever the sizes, jobs whose results are consumed in order all finish, and only one may exceed the limit."""

    async def main():
        budget = Budget(limit)
        shares = [budget.share() for _ in sizes]
        done = [anyio.Event() for _ in sizes]

        async def job(index):
            for size in sizes[index]:
                await shares[index].reserve(size)
            done[index].set()

        async with anyio.create_task_group() as group:
            for index in reversed(range(len(sizes))):
                group.start_soon(job, index)
            for index, share in enumerate(shares):
                with anyio.fail_after(5):
                    await done[index].wait()
                assert budget.used <= limit + share.size
                share.close()
        assert budget.used == 0

    anyio.run(main)


@pytest.fixture
async def release(client):
    """Six images of 20 kB once they are decoded, each with a bitmap of the same size."""
    await client.datasets.create("flowers", task_type="segmentation-bitmap")
    ids = np.ones(SIZE[::-1], np.uint32)
    for number in range(6):
        file = io.BytesIO()
        Image.new("RGB", SIZE, (number, 0, 0)).save(file, "PNG")
        image = await client.assets.upload(file.getvalue(), "image.png")
        sample = await client.samples.create(DATASET, f"s{number}", {"image": {"url": image.url}})
        await client.labels.put_bitmap(sample, "ground-truth", ids, [{"id": 1, "category_id": 1}])
    await client.releases.create(DATASET, "v1")
    return await client.releases.wait(DATASET, "v1", poll=0.01)


@pytest.mark.parametrize("budget", [1, 5 * PIXELS, 10 * PIXELS, 30 * PIXELS, 10**9])
async def test_any_budget_is_enough(client, release, monkeypatch, budget):
    """Also one that not even a single image fits into; the order is that of the file."""
    monkeypatch.setattr(loading, "BUDGET_BYTES", budget)

    with anyio.fail_after(20):
        async with client.releases.iterate(release, prefetch=16) as items:
            names = [item.sample.name async for item in items]
            used = items._loader._budget.used

    assert names == [f"s{number}" for number in range(6)]
    assert used == 0


async def test_no_more_is_decoded_than_fits(client, release, monkeypatch):
    """105 kB are five images, besides those of the next item, which gets whatever it asks for; the rest waits."""
    monkeypatch.setattr(loading, "BUDGET_BYTES", 21 * PIXELS)
    decoded = []
    real = loading._decode

    async def note(decode, share, *rest):
        result = await real(decode, share, *rest)
        decoded.append(share.number)
        return result

    monkeypatch.setattr(loading, "_decode", note)
    async with client.releases.iterate(release, prefetch=16) as items:
        budget = items._loader._budget
        await until(lambda: budget._waiting)
        later = [number for number in decoded if number != 0]
        used = budget.used
        names = [item.sample.name async for item in items]

    assert len(later) <= 5
    assert used <= 21 * PIXELS + LARGEST_SHARE
    assert len(decoded) == 12
    assert len(names) == 6


async def test_a_bomb_is_the_failure_of_its_sample(client, release, monkeypatch):
    """For a picture and for a bitmap; the others arrive."""
    bomb = encode_bitmap(np.zeros((300, 300), np.uint32))
    asset = await client.assets.upload(bomb, "bomb.png")
    await client.samples.create(DATASET, "t", {"image": {"url": asset.url}})
    sample = await client.samples.list(DATASET).first()
    attributes = {"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": {"url": asset.url}}
    await client.labels.put(sample.uuid, "ground-truth", attributes)
    await client.releases.create(DATASET, "v2")
    with_bombs = await client.releases.wait(DATASET, "v2", poll=0.01)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)

    async with client.releases.iterate(with_bombs, on_error="skip") as items:
        names = [item.sample.name async for item in items]

    assert names == [f"s{number}" for number in range(1, 6)]
    assert [skipped.sample.name for skipped in items.skipped] == ["s0", "t"]
    assert all(isinstance(skipped.error, DecodeError) for skipped in items.skipped)
    assert all("MAX_IMAGE_PIXELS" in str(skipped.error) for skipped in items.skipped)
    with pytest.raises(DecodeError, match="MAX_IMAGE_PIXELS"):
        await client.labels.get_bitmap(sample)
