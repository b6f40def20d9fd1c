"""Exports of releases whose signed URLs have expired."""

from __future__ import annotations

import numpy as np
import pytest
from release_builder import jpeg

from segments_async import ApiError, AsyncSegments, ExportError
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

DATASET = "sandbox/flowers"


@pytest.fixture
async def sandbox(clock):
    with Sandbox(clock=clock.time) as sandbox:
        yield sandbox


@pytest.fixture
async def release(sandbox, patient, clock):
    """Two samples whose images were signed for a minute, two minutes ago."""
    sandbox.url_seconds = 60
    await patient.datasets.create("flowers", task_type="segmentation-bitmap")
    for name in ("a", "b"):
        asset = await patient.assets.upload(jpeg(2, 1), "image.jpg")
        sample = await patient.samples.create(DATASET, name, {"image": {"url": asset.url}})
        signed = await patient.samples.get(sample.uuid, include_signed_urls=True)
        await patient.samples.update(sample.uuid, attributes={"image": {"url": signed.attributes.image.signed_url}})
        await patient.labels.put_bitmap(sample, "ground-truth", np.array([[0, 1]]), [{"id": 1, "category_id": 1}])
    await patient.releases.create(DATASET, "v1")
    release = await patient.releases.wait(DATASET, "v1", poll=0.01)
    clock.now += 120
    sandbox.clear_calls()
    return release


async def test_image_urls_are_renewed(patient, sandbox, release, tmp_path):
    """The samples are asked for, and the release too where its name is known."""
    report = await patient.releases.export(DATASET, tmp_path, "semantic", name="v1")

    assert report.samples == 2
    assert len(list(report.folder.glob("*.jpg"))) == 2
    asked = [call.path for call in sandbox.calls if call.origin == "api"]
    assert len([path for path in asked if path.startswith("/samples/")]) == 2


async def test_url_that_cannot_be_renewed_is_reported(patient, sandbox, release, tmp_path):
    """The error names the file, and what was tried."""
    with pytest.raises(ApiError, match=r"403 Forbidden .*Request has expired") as caught:
        await patient.releases.export(release, tmp_path, "semantic")
    assert "pass the dataset and the release's name" in caught.value.__notes__[-1]

    path = await patient.releases.download(DATASET, "v1", tmp_path / "v1.json")
    stranger = AsyncSegments("none", base_url=sandbox.url)
    async with stranger:
        with pytest.raises(ExportError) as refused:
            await stranger.releases.export(path, tmp_path, "semantic")
        assert str(refused.value).startswith("sample 'a': its image: 401 Unauthorized on GET ")
        assert "; raised while requesting a new URL for http" in str(refused.value)
        assert str(refused.value).endswith(".jpg?..., because the last one expired")
        assert "X-Amz-Signature" not in str(refused.value)


async def test_bitmap_that_cannot_be_fetched(patient, sandbox, release, tmp_path):
    """The error names the bitmap, not the image."""
    sandbox.fail("GET", ".png", origin="storage", times=None, status=403)
    report = await patient.releases.export(DATASET, tmp_path, "semantic", name="v1", on_error="skip")
    assert [str(failure).partition(" on GET")[0] for failure in report.failures] == [
        f"sample '{name}': its bitmap: 403 Forbidden" for name in ("a", "b")
    ]
