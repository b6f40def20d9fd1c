"""`labels.put_bitmaps`: thousands of arrays, each uploaded once."""

from __future__ import annotations

import sys
import weakref

import numpy as np
import pytest

from segments_async import BitmapPut, BulkError, ImageSegmentationAnnotation, InputError, NotFoundError
from segments_async.models import Asset

pytestmark = pytest.mark.anyio

COUNT = 6


def ids_of(number):
    return np.full((2, 3), number + 1, np.uint16)


def bitmap(sample, number, **more):
    return BitmapPut(sample, ids_of(number), [{"id": number + 1, "category_id": 1}], **more)


@pytest.fixture
async def uuids(sandbox, patient):
    """Samples without labels."""
    await patient.datasets.create("flowers", task_type="segmentation-bitmap")
    await patient.labelsets.create("sandbox/flowers", "preds")
    image = {"image": {"url": "https://example.com/a.png"}}
    made = [await patient.samples.create("sandbox/flowers", f"{number}", image) for number in range(COUNT)]
    sandbox.clear_calls()
    return [sample.uuid for sample in made]


def uploads(sandbox):
    return [call for call in sandbox.calls if call.origin == "storage"]


async def test_ids_arrive(patient, sandbox, uuids):
    """One upload and one label for each; mappings and models are taken, and defaults are those of `put_bitmap`."""
    items = [bitmap(uuid, number) for number, uuid in enumerate(uuids)]
    items[1] = {"sample_uuid": uuids[1], "array": [[2]], "annotations": [{"id": 2, "category_id": 1}], "score": 0.5}
    items[2].annotations = [ImageSegmentationAnnotation(id=3, category_id=2)]
    items[3].labelset, items[3].label_status, items[3].image_attributes = "preds", "REVIEWED", {"scene": "meadow"}

    report = await patient.labels.put_bitmaps(iter(items))

    report.raise_if_failed()
    assert [outcome.key for outcome in report.results] == [
        f"{uuid}/{'preds' if number == 3 else 'ground-truth'}" for number, uuid in enumerate(uuids)
    ]
    assert len(uploads(sandbox)) == COUNT
    assert report.bytes_sent > 0
    for number in (0, 2, 4, 5):
        array, annotations = await patient.labels.get_bitmap(uuids[number])
        assert np.array_equal(array, ids_of(number))
        assert [annotation.id for annotation in annotations] == [number + 1]
    assert report.results[1].value.score == 0.5
    assert report.results[1].value.label_status == "PRELABELED"
    label = await patient.labels.get(uuids[3], "preds")
    assert (label.label_status, label.attributes.image_attributes) == ("REVIEWED", {"scene": "meadow"})


async def test_arrays_are_released(patient, uuids):
    """No more arrays of a generator are alive than in flight."""
    seen = []
    most = 0

    def items():
        nonlocal most
        for number in range(50):
            item = bitmap(uuids[number % COUNT], number)
            seen.append(weakref.ref(item.array))
            most = max(most, sum(array() is not None for array in seen))
            yield item

    report = await patient.labels.put_bitmaps(items(), concurrency=2, check_duplicates=False)

    report.raise_if_failed()
    assert most <= 6
    assert {outcome.item.array for outcome in report.results} == {None}
    assert report.results[7].item.sample_uuid == uuids[1]


async def test_uploaded_bitmap_is_not_uploaded_again(patient, sandbox, uuids):
    """A retry item has an asset in place of its array."""
    sandbox.fail("PUT", f"/labels/{uuids[0]}/ground-truth/", times=None, status=503)
    report = await patient.labels.put_bitmaps(bitmap(uuid, number) for number, uuid in enumerate(uuids))
    assert (report.failed, len(uploads(sandbox))) == (1, COUNT)
    [again] = report.retry_items
    assert isinstance(again.array, Asset)

    sandbox.clear_faults()
    sandbox.clear_calls()
    (await patient.labels.put_bitmaps(report.retry_items)).raise_if_failed()
    assert uploads(sandbox) == []
    array, _ = await patient.labels.get_bitmap(uuids[0])
    assert np.array_equal(array, ids_of(0))


async def test_checkpoint(patient, sandbox, uuids, tmp_path):
    """A resumed run uploads nothing twice; changed labels are put again."""
    path = tmp_path / "run.db"
    items = [bitmap(uuid, number) for number, uuid in enumerate(uuids)]
    sandbox.fail("PUT", f"/labels/{uuids[0]}/ground-truth/", times=None, status=503)
    await patient.labels.put_bitmaps(items, checkpoint=path)
    sandbox.clear_faults()
    sandbox.clear_calls()

    report = await patient.labels.put_bitmaps(items, checkpoint=path)
    assert dict(report.counts) == {"skipped": COUNT - 1, "done": 1}
    assert uploads(sandbox) == []
    assert len(sandbox.calls) == 1
    assert {outcome.item.array for outcome in report.results} == {None}

    items[4] = bitmap(uuids[4], 4, score=0.5)
    items[5].array[0, 0] = 0
    report = await patient.labels.put_bitmaps(items, checkpoint=path)
    assert dict(report.counts) == {"skipped": COUNT - 2, "done": 2}
    assert len(uploads(sandbox)) == 1


async def test_bad_items(patient, sandbox, uuids):
    """They fail by themselves, with their place, and nothing is uploaded for them."""
    good = {"id": 1, "category_id": 1}
    items = [
        BitmapPut(uuids[0], [[1, 2]], [good]),
        BitmapPut(uuids[1], [[0.5]], [good]),
        BitmapPut(uuids[2], None, [good]),
        BitmapPut(uuids[3], [[1]], [{"id": "1", "category_id": 1}]),
        BitmapPut(uuids[3], [[1]], None),
        BitmapPut("", [[1]], [good]),
        {"sample_uuid": uuids[3]},
        "mask.png",
    ]
    both = "'array' and 'annotations')"
    report = await patient.labels.put_bitmaps(items)

    assert [str(outcome.error).partition("; ")[0] for outcome in report.results] == [
        "bitmaps[0].annotations: pixels have ids that no annotation has: 2",
        "bitmaps[1].array: expected integer ids, got float64",
        "bitmaps[2].array: expected an array (height, width) of ids, got shape ()",
        "bitmaps[3].attributes.annotations[0].id: expected an integer, got str",
        "bitmaps[4].annotations: expected a list, got NoneType",
        "bitmaps[5].sample_uuid: expected a name, got ''",
        "bitmaps[6]: does not fit BitmapPut (BitmapPut.__init__() missing 2 required positional arguments: " + both,
        "bitmaps[7]: expected a BitmapPut or a mapping, got str",
    ]
    assert all(isinstance(outcome.error, InputError) for outcome in report.results)
    assert sandbox.calls == ()
    assert (await patient.labels.put_bitmaps(items[:1], check=False)).succeeded == 1


async def test_no_such_labelset(patient, uuids):
    """The service's word is the outcome's."""
    report = await patient.labels.put_bitmaps([bitmap(uuids[0], 0)], labelset="nowhere")
    assert isinstance(report.failures[0].error, NotFoundError)
    with pytest.raises(BulkError):
        await patient.labels.put_bitmaps([bitmap(uuids[0], 0)], labelset="nowhere", on_error="raise")


async def test_missing_extra_is_named(patient, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("segments_async.images")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "segments-async\[images\]"'):
        await patient.labels.put_bitmaps([])
