"""The same words select the same samples in a list and in a release, and statuses are taken in any case."""

from __future__ import annotations

import pytest

from segments_async import AsyncSegments, BitmapPut, InputError, LabelPut, LabelUpdate, open_release
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

FLOWERS = "sandbox/flowers"
IMAGE = {"image": {"url": "https://example.com/a.png"}}
METADATA = [
    {"city": "Ghent", "height": 3},
    {"city": "Ulm", "height": 7.5, "tags": ["red", "wet"]},
    {"city": "Ghent", "height": 10, "tags": ["red"], "night": True},
    {"height": "3"},
    {},
]
FILTERS = [
    (None, "01234"),
    ("city:Ghent", "02"),
    ("height:=3", "0"),
    ("height:>3", "12"),
    ("height:>=3", "012"),
    ("height:<7.5", "0"),
    ("height:<=7.5", "01"),
    ("tags:|red", "12"),
    ("tags:|wet", "1"),
    (["city:Ghent", "height:>5"], "2"),
    ({"height": 3}, "0"),
    ({"height": 7.5}, "1"),
    ({"tags": ["red", "wet"]}, "1"),
    ({"night": True, "height": "<=10"}, "2"),
]


@pytest.fixture
async def client(anyio_backend):
    with Sandbox() as box:
        async with AsyncSegments(box.api_key, base_url=box.url) as client:
            await client.datasets.create("flowers", task_type="vector")
            yield client


async def label_some(client):
    items = [{"name": f"{n}", "attributes": IMAGE, "metadata": data} for n, data in enumerate(METADATA)]
    report = await client.samples.create_many(FLOWERS, items)
    uuids = [outcome.uuid for outcome in report.results]
    puts = [LabelPut(uuid, {"annotations": []}, label_status="labeled") for uuid in uuids[:3]]
    (await client.labels.put_many(puts)).raise_if_failed()
    return uuids


async def write_release(client, folder):
    await client.releases.create(FLOWERS, "v1")
    await client.releases.wait(FLOWERS, "v1", poll=0.01)
    return await client.releases.download(FLOWERS, "v1", folder / "v1.json")


async def names_of(rows):
    return "".join([row.name async for row in rows])


async def test_metadata(client, tmp_path):
    await label_some(client)
    path = await write_release(client, tmp_path)
    for metadata, names in FILTERS:
        assert await names_of(client.samples.list(FLOWERS, metadata=metadata)) == names
        async with open_release(path) as release:
            assert await names_of(release.samples(metadata=metadata)) == names
        async with client.releases.stream_samples(path, metadata=metadata) as samples:
            assert await names_of(samples) == names
        async with client.releases.iterate(path, metadata=metadata, images=False) as items:
            assert "".join([item.sample.name async for item in items]) == names
    report = await client.releases.export(
        path, tmp_path / "out", "coco-instance", metadata="height:>3", images=False, image_size=(4, 4)
    )
    assert report.samples == 2


async def test_statuses(client, tmp_path):
    """``docs.segments.ai`` writes ``filter_by=["labeled", "reviewed"]``."""
    words, count = ["labeled", "Reviewed"], 3
    uuids = await label_some(client)
    path = await write_release(client, tmp_path)
    assert len(await client.samples.list(FLOWERS, label_status=words)) == count
    async with client.samples.stream(FLOWERS, label_status=words) as samples:
        assert await names_of(samples) == "012"
    async with client.releases.stream_samples(path, labelset="ground-truth", label_status=words) as samples:
        assert await names_of(samples) == "012"
    async with client.releases.iterate(path, label_status=words, images=False) as items:
        assert len([item async for item in items]) == count
    report = await client.releases.export(
        path, tmp_path / "out", "coco-instance", label_status=words, images=False, image_size=(4, 4)
    )
    assert report.samples == count

    label = await client.labels.put(uuids[0], "ground-truth", {"annotations": []}, label_status="reviewed")
    assert label.label_status == "REVIEWED"
    assert (await client.labels.update(uuids[0], "ground-truth", label_status="rejected")).label_status == "REJECTED"
    update = LabelUpdate(uuids[0], label_status="verified")
    assert (await client.labels.update_many([update])).results[0].value.label_status == "VERIFIED"
    item = {"sample_uuid": uuids[0], "attributes": {"annotations": []}, "label_status": "skipped"}
    assert (await client.labels.put_many([item])).results[0].value.label_status == "SKIPPED"
    await client.datasets.create("masks", task_type="segmentation-bitmap")
    sample = await client.samples.create("sandbox/masks", "0", IMAGE)
    put = BitmapPut(sample.uuid, [[1]], [{"id": 1, "category_id": 1}], label_status="labeled")
    assert (await client.labels.put_bitmaps([put])).results[0].value.label_status == "LABELED"


async def test_word_that_is_no_status(client, tmp_path):
    """Refused before anything is returned or written."""
    await label_some(client)
    path = await write_release(client, tmp_path)
    words = "label_status: 'LABELLED' is not a label status; did you mean 'LABELED'?"
    with pytest.raises(InputError, match=words[:-1]):
        client.samples.list(FLOWERS, label_status="labelled")
    with pytest.raises(InputError, match=words[:-1]):
        client.samples.stream(FLOWERS, label_status=["LABELED", "labelled"])
    async with client.releases.stream_samples(path, label_status="labelled") as samples:
        with pytest.raises(InputError, match=words[:-1]):
            await anext(samples)
    async with client.releases.iterate(path, label_status="labelled", images=False) as items:
        with pytest.raises(InputError, match=words[:-1]):
            await anext(items)
    for on_error in ("raise", "skip"):
        with pytest.raises(InputError, match=words[:-1]):
            await client.releases.export(
                path,
                tmp_path / "out",
                "coco-instance",
                label_status="labelled",
                images=False,
                image_size=(4, 4),
                on_error=on_error,
            )
