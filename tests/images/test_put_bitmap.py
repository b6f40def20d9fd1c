"""`labels.put_bitmap` and `labels.get_bitmap` against the service in memory."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from segments.utils import load_label_bitmap_from_url

from segments_async import DecodeError, ImageSegmentationAnnotation, InputError, NotFoundError
from segments_async.images import decode_bitmap

pytestmark = pytest.mark.anyio

ARRAY = np.array([[0, 1, 1], [0, 70_000, 1]], np.uint32)
ANNOTATIONS = [{"id": 1, "category_id": 1, "attributes": {"torn": True}}, {"id": 70_000, "category_id": 1}]


@pytest.fixture
async def sample(sandbox, client):
    await client.datasets.create("flowers")
    sample = await client.samples.create("sandbox/flowers", "violet", {"image": {"url": "https://example.com/a.png"}})
    sandbox.clear_calls()
    return sample


async def test_ids_arrive(client, sandbox, sample):
    """The label's bitmap contains the ids, for this client and for the official one."""
    label = await client.labels.put_bitmap(sample, "ground-truth", ARRAY, ANNOTATIONS, score=0.5)

    found = await client.labels.get(sample.uuid)
    assert (label.label_status, found.score) == ("PRELABELED", 0.5)
    assert [annotation.id for annotation in found.attributes.annotations] == [1, 70_000]
    assert found.attributes.annotations[0].attributes == {"torn": True}
    url = found.attributes.segmentation_bitmap.url
    assert np.array_equal(decode_bitmap(sandbox.assets()[url]), ARRAY)
    assert np.array_equal(load_label_bitmap_from_url(url), ARRAY)
    assert url.endswith(".png")


async def test_what_was_put_is_got(client, sandbox, sample):
    """The array comes back with its annotations, and can be put elsewhere; the key goes to no other host."""
    await client.labels.put_bitmap(sample, "ground-truth", ARRAY, ANNOTATIONS)

    array, annotations = await client.labels.get_bitmap(sample)

    assert array.dtype == np.uint32
    assert np.array_equal(array, ARRAY)
    assert [annotation.id for annotation in annotations] == [1, 70_000]
    await client.labels.put_bitmap(sample.uuid, "ground-truth", array, annotations)
    fetched = [call for call in sandbox.calls if call.method == "GET" and call.path.endswith(".png")]
    assert fetched
    assert "authorization" not in {name.lower() for call in fetched for name in call.headers}


async def test_a_label_without_a_bitmap(client, sample):
    """The error names the label's type."""
    await client.labels.put(sample.uuid, "ground-truth", {"annotations": []})

    with pytest.raises(DecodeError, match=r"attributes: the label has no bitmap; its type is 'segmentation-bitmap'"):
        await client.labels.get_bitmap(sample)


async def test_a_bitmap_that_is_none(client, sample):
    asset = await client.assets.upload(b"<html>", "bitmap.png")
    attributes = {"annotations": [], "segmentation_bitmap": {"url": asset.url}}
    await client.labels.put(sample.uuid, "ground-truth", attributes)

    with pytest.raises(DecodeError, match="is not an image; it begins with b'<html>'"):
        await client.labels.get_bitmap(sample)


async def test_models_attributes_and_a_uuid_are_taken(client, sample):
    annotations = [ImageSegmentationAnnotation(id=1, category_id=1)]

    label = await client.labels.put_bitmap(
        sample.uuid, "ground-truth", [[1]], annotations, image_attributes={"scene": "meadow"}, label_status=None
    )

    assert label.attributes.image_attributes == {"scene": "meadow"}


@pytest.mark.parametrize(
    ("array", "annotations", "says"),
    [
        ([[1, 2]], [{"id": 1, "category_id": 1}], "annotations: pixels have ids that no annotation has: 2"),
        ([[1]], ANNOTATIONS, "annotations: annotations have ids that no pixel has: 70000"),
        ([[0.5]], ANNOTATIONS, "array: expected integer ids"),
        ([[1]], [{"id": "1", "category_id": 1}], r"attributes.annotations\[0\].id: expected an integer, got str"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_sent(client, sandbox, sample, array, annotations, says):
    with pytest.raises(InputError, match=says):
        await client.labels.put_bitmap(sample, "ground-truth", array, annotations)

    assert not sandbox.calls


async def test_the_check_can_be_left_out(client, sample):
    label = await client.labels.put_bitmap(sample, "ground-truth", [[1, 2]], ANNOTATIONS, check=False)

    assert len(label.attributes.annotations) == 2


async def test_no_such_labelset(client, sample):
    with pytest.raises(NotFoundError):
        await client.labels.put_bitmap(sample, "predictions", ARRAY, ANNOTATIONS)


async def test_pixels_are_encoded_in_another_thread(client, sample, monkeypatch):
    """The event loop is not blocked."""
    threads = []
    real = "segments_async.images.encode_bitmap"

    def encode(array):
        threads.append(threading.current_thread())
        return encode_bitmap(array)

    from segments_async.images import encode_bitmap  # noqa: PLC0415 (the one that is replaced)

    monkeypatch.setattr(real, encode)
    await client.labels.put_bitmap(sample, "ground-truth", ARRAY, ANNOTATIONS)

    assert threads
    assert threading.current_thread() not in threads
