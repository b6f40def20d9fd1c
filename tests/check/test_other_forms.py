"""The client works with each form of the service that `Sandbox.variants` has."""

from __future__ import annotations

import pytest

from segments_async import AlreadyExistsError, AsyncSegments, AuthenticationError
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

FLOWERS = "sandbox/flowers"
IMAGE = {"image": {"url": "https://example.com/a.png"}}


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        variants = sandbox.variants
        variants.wrong_key_status, variants.taken_name_status = 403, 409
        variants.keeps_valid_samples = variants.put_keeps_fields = True
        variants.exact_statuses = variants.ignores_ranges = True
        sandbox.redirects_slashes = sandbox.ignores_unknown_labelsets = True
        sandbox.max_per_page = 10
        yield sandbox


async def test_all_of_them(sandbox, client, tmp_path):
    assert (await client.users.me()).username == "sandbox"
    await client.datasets.create("flowers", task_type="vector")
    with pytest.raises(AlreadyExistsError):
        await client.datasets.create("flowers")
    items = [{"name": f"{number}", "attributes": IMAGE} for number in range(25)]
    bad = {"name": "bad", "attributes": {"image": {"url": "https://example.com/a.png"}}, "priority": "high"}
    report = await client.samples.create_many(FLOWERS, [*items, bad])
    assert (report.succeeded, report.failed) in {(25, 1), (26, 0)}
    assert len(sandbox.samples(FLOWERS)) == report.succeeded == len(await client.samples.list(FLOWERS))
    uuid = report.results[0].uuid
    await client.labels.put(uuid, "ground-truth", {"annotations": []}, label_status="labeled", score=0.5)
    label = await client.labels.put(uuid, "ground-truth", {"annotations": []})
    assert label.label_status == "PRELABELED"
    assert len(await client.samples.list(FLOWERS, label_status="prelabeled")) == 1
    await client.releases.create(FLOWERS, "v1")
    await client.releases.wait(FLOWERS, "v1", poll=0.01)
    sandbox.fail("GET", "*", origin="storage", drop="middle")
    path = await client.releases.download(FLOWERS, "v1", tmp_path / "v1.json")
    assert path.read_bytes().endswith(b"}")


async def test_wrong_key(sandbox, anyio_backend):
    async with AsyncSegments("wrong-key", base_url=sandbox.url) as client:
        with pytest.raises(AuthenticationError):
            await client.datasets.list()
