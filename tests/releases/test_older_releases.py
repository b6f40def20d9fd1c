"""Release files as the documentation shows them: samples without ``uuid``, datasets without ``labelsets``."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from segments_async import InputError, open_release

pytestmark = pytest.mark.anyio


def png():
    file = io.BytesIO()
    Image.new("RGB", (9, 5)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
async def older(client, files):
    """A release of three samples, one without labels, and one whose labels are null."""
    url = (await client.assets.upload(png(), "a.png")).url
    shown = [{"name": f"{n}.png", "attributes": {"image": {"url": url}}} for n in range(3)]
    shown[0]["labels"] = {"ground-truth": files.label("LABELED", 1, 2)}
    shown[2]["labels"] = None
    content = files.release(shown)
    del content["dataset"]["labelsets"], content["dataset"]["owner"]
    return files.write(content)


async def test_read(client, older):
    async with open_release(older) as release:
        assert release.dataset.labelsets is None
        samples = [sample async for sample in release.samples()]
        assert [(sample.uuid, sample.name) for sample in samples] == [(None, f"{n}.png") for n in range(3)]
        assert [set(sample.labels) for sample in samples] == [{"ground-truth"}, set(), set()]
        filtered = release.samples(labelset="ground-truth", label_status="LABELED")
        assert [sample.name async for sample in filtered] == ["0.png"]
        summary = await release.summary()
        assert summary.samples == 3
        assert summary.labelsets["ground-truth"].categories == {"violet": 1, "rose": 1}


async def test_iterate_and_download(client, older, tmp_path):
    async with client.releases.iterate(older) as items:
        found = [(sample.name, image.size, label is None) async for sample, image, label, _ in items]
    assert found == [("0.png", (9, 5), False), ("1.png", (9, 5), True), ("2.png", (9, 5), True)]

    async with open_release(older) as release:
        report = await client.assets.download_many(release.samples(), tmp_path / "images")
    report.raise_if_failed()
    assert report.total == 3


@pytest.mark.parametrize("format", ["coco-instance", "yolo"])
async def test_export(client, older, tmp_path, format):
    report = await client.releases.export(older, tmp_path / "out", format)
    assert (report.samples, report.unlabeled, report.failures) == (1, 2, [])


async def test_missing_name_of_the_release(client, sandbox, tmp_path, monkeypatch):
    """A dataset is not taken for a path, unless there is such a file."""
    monkeypatch.chdir(tmp_path)
    words = "name: needs the release's name, as 'jane/flowers' is not a file but may be a dataset"
    with pytest.raises(InputError) as caught:
        await client.releases.export("jane/flowers", tmp_path / "out", "yolo")
    assert str(caught.value) == words
    with pytest.raises(InputError) as caught:
        await client.releases.summary("jane/flowers")
    assert str(caught.value) == words
    with pytest.raises(InputError, match=r"^path: cannot be read"):
        await client.releases.summary("jane/flowers.json")
    assert sandbox.calls == ()
