"""Whatever an image, a bitmap, a plugin, a label or a name provokes is the failure of its sample."""

from __future__ import annotations

import json

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image, ImageFile
from release_builder import ReleaseBuilder, jpeg

from segments_async import DecodeError, ExportError
from segments_async.export import run as module
from segments_async.export.masks import Masks
from segments_async.images import encode_bitmap

pytestmark = pytest.mark.anyio
FLOWER = [{"id": 1, "category_id": 2}]
FORMATS = ["coco-instance", "coco-panoptic", "semantic", "instance"]


class _Plugin(ImageFile.ImageFile):
    format = "BROKEN"
    format_description = "a format whose plugin raises"

    def _open(self):
        raise RuntimeError("no frames")


@pytest.fixture
def plugin():
    Image.init()
    Image.register_open("BROKEN", _Plugin, lambda prefix: prefix.startswith(b"BROKEN"))
    yield
    Image.ID.remove("BROKEN")
    Image.OPEN.pop("BROKEN")


async def three(client, tmp_path, **changes):
    """A good sample, one that is changed, and another good one."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    for name in ("a.jpg", "bad.jpg", "c.jpg"):
        await builder.segmented(name, np.array([[1]]), FLOWER)
    sample = builder.samples[1]
    for kind, content in changes.items():
        owner = sample if kind == "image" else sample["labels"]["ground-truth"]
        url = await client.assets.upload(content, f"{kind}.png")
        owner["attributes"]["image" if kind == "image" else "segmentation_bitmap"] = {"url": url.url}
    return builder, builder.write(tmp_path)


@pytest.mark.parametrize("part", ["image", "bitmap"])
@pytest.mark.parametrize("kind", FORMATS)
async def test_a_plugin_that_raises(client, tmp_path, plugin, part, kind):
    """It is the failure of its sample with "skip", and else an ExportError with the original as its cause."""
    _, path = await three(client, tmp_path, **{part: b"BROKEN...."})

    report = await client.releases.export(path, tmp_path / "skip", kind, on_error="skip")
    assert [failure.sample for failure in report.failures] == ["bad.jpg"]
    assert report.samples == 2

    with pytest.raises(ExportError, match=rf"sample 'bad\.jpg': its {part} is a damaged image: no frames") as caught:
        await client.releases.export(path, tmp_path / "raise", kind)
    assert isinstance(caught.value.__cause__, DecodeError)
    assert isinstance(caught.value.__cause__.__cause__, RuntimeError)


@pytest.mark.parametrize("part", ["image", "bitmap"])
async def test_a_bomb(client, tmp_path, monkeypatch, part):
    _, path = await three(client, tmp_path, **{part: encode_bitmap(np.zeros((300, 300), np.uint32))})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)

    report = await client.releases.export(path, tmp_path / "out", "semantic", on_error="skip")

    [failure] = report.failures
    assert failure.sample == "bad.jpg"
    assert "Image.MAX_IMAGE_PIXELS sets this limit" in failure.problem


@pytest.mark.parametrize("content", [jpeg(1, 1), b"<html>"])
async def test_a_bitmap_of_another_kind(client, tmp_path, content):
    """A JPEG is refused, as its ids would be garbage."""
    _, path = await three(client, tmp_path, bitmap=content)

    report = await client.releases.export(path, tmp_path / "out", "instance", on_error="skip")

    assert [failure.sample for failure in report.failures] == ["bad.jpg"]


@pytest.mark.parametrize("on_error", ["raise", "skip"])
async def test_an_exception_of_any_kind(client, tmp_path, monkeypatch, on_error):
    """Also one that the package does not expect."""
    _, path = await three(client, tmp_path)
    real = Masks.write

    def write(self, fetched, folder):
        if fetched.item.sample == "bad.jpg":
            raise ZeroDivisionError("odd")
        return real(self, fetched, folder)

    monkeypatch.setattr(Masks, "write", write)
    if on_error == "raise":
        with pytest.raises(ExportError, match=r"sample 'bad\.jpg': ZeroDivisionError: odd") as caught:
            await client.releases.export(path, tmp_path / "out", "semantic")
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    else:
        report = await client.releases.export(path, tmp_path / "out", "semantic", on_error="skip")
        assert (report.samples, len(report.failures)) == (2, 1)


STRANGE = {
    "ids": {"annotations": [{"id": [1], "category_id": 2}]},
    "category": {"annotations": [{"id": 1, "category_id": {}}]},
    "bigint": {"annotations": [{"id": 2**80, "category_id": 2}]},
    "no list": {"annotations": {"id": 1}},
    "numbers": {"annotations": [1, 2]},
    "address": {"segmentation_bitmap": {"url": "http://["}},
    "port": {"segmentation_bitmap": {"url": "http://localhost:99999/a.png"}},
    "nothing": {"segmentation_bitmap": 7},
}


@pytest.mark.parametrize("case", STRANGE)
@pytest.mark.parametrize("kind", FORMATS)
async def test_strange_labels(client, tmp_path, case, kind):
    """Each is the failure of its sample, or not written as a label."""
    builder, _ = await three(client, tmp_path)
    builder.samples[1]["labels"]["ground-truth"]["attributes"] |= STRANGE[case]
    path = builder.write(tmp_path)

    report = await client.releases.export(path, tmp_path / "out", kind, on_error="skip")

    assert report.samples + len(report.failures) == 3
    assert {failure.sample for failure in report.failures} <= {"bad.jpg"}


async def test_text_and_numbers_that_orjson_refuses(client, tmp_path):
    """Half a character in names, and integers of any size, are written."""
    builder = ReleaseBuilder(client, "vector", categories=[{"id": 1, "name": "half \ud800", "size": 2**80}])
    await builder.drawn("half \ud800.jpg", [])
    polygon = {"id": 1, "category_id": 1, "type": "polygon", "points": [[1, 1], [9, 1], [9, 9]], "z": 2**80}
    await builder.drawn("b.jpg", [polygon])
    polygon["points"][0] = [1, 1, 2**80]
    path = builder.write(tmp_path)

    report = await client.releases.export(path, tmp_path / "out", "coco-instance", on_error="skip")

    found = json.loads(report.file.read_text())
    assert found["categories"][0]["name"] == "half \ud800"
    assert report.samples + len(report.failures) == 2


@pytest.mark.parametrize("colour", [[], [1], [300, -5, 1e9], [1e400, 0, 0]])
async def test_strange_colours(client, tmp_path, colour):
    """The palette is used, or the numbers are clamped."""
    builder = ReleaseBuilder(client, "segmentation-bitmap", categories=[{"id": 2, "name": "b", "color": colour}])
    await builder.segmented("a.jpg", np.array([[1]]), FLOWER)
    path = builder.write(tmp_path)
    for kind in ("coco-panoptic", "semantic-color"):
        report = await client.releases.export(path, tmp_path / kind, kind)
        assert report.samples == 1


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=10)
@given(image=st.binary(max_size=60), bitmap=st.binary(max_size=60), cut=st.integers(0, 80))
async def test_any_bytes_as_an_image(client, tmp_path_factory, image, bitmap, cut):
    """They end in a result or in the failure of their sample; `iterate` likewise."""
    tmp_path = tmp_path_factory.mktemp("bytes")
    good = encode_bitmap(np.array([[1]]))
    _, path = await three(
        client, tmp_path, image=jpeg(1, 1)[:cut] + image or b"\0", bitmap=good[:cut] + bitmap or b"\0"
    )

    report = await client.releases.export(path, tmp_path / "out", "semantic", on_error="skip")
    assert report.samples + len(report.failures) == 3
    async with client.releases.iterate(path, on_error="skip") as items:
        names = [item.sample.name async for item in items]
    assert len(names) + len(items.skipped) == 3
    if report.failures:
        with pytest.raises(ExportError, match=r"bad\.jpg"):
            await client.releases.export(path, tmp_path / "raise", "semantic")


@pytest.mark.parametrize("budget", [1, 100, 10**9])
async def test_any_budget_of_memory_is_enough(client, tmp_path, monkeypatch, budget):
    monkeypatch.setattr(module, "BUDGET_BYTES", budget)
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    for number in range(10):
        await builder.segmented(f"{number}.jpg", np.ones((9, 9), int), FLOWER)

    with anyio.fail_after(20):
        report = await client.releases.export(builder.write(tmp_path), tmp_path, "semantic", concurrency=8)

    assert report.samples == 10
