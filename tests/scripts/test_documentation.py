"""The pages of the service's documentation that users begin with, as scripts of this client."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from script_inputs import PETS, picture

from segments_async.images import load_image, semantic

pytestmark = pytest.mark.anyio


async def test_quickstart(client, sandbox, state):
    """
    A dataset, three samples by URL, a label, and the arrays to look at.

    Source: docs.segments.ai, "Python SDK quickstart" (``docs/source/quickstart.md`` of segments-ai/segments-ai).
    """
    dataset = await client.datasets.create(
        "pets",
        description="A dataset with images of cats and dogs.",
        task_type="segmentation-bitmap",
        task_attributes={"format_version": "0.1", "categories": PETS},
    )
    for name in ("Bombay_220.jpg", "shiba_inu_178.jpg", "havanese_196.jpg"):
        url = (await client.assets.upload(picture(), name)).url  # the page has images of its own there
        await client.samples.create("sandbox/pets", name, {"image": {"url": url}})
    samples = await client.samples.list("sandbox/pets")
    array = np.zeros((6, 8), np.uint32)
    array[1:3, 1:3], array[4:, 4:] = 1, 2
    annotations = [{"id": 1, "category_id": 2}, {"id": 2, "category_id": 1}]
    await client.labels.put_bitmap(samples[0], "ground-truth", array, annotations, label_status="LABELED")

    label = await client.labels.get(samples[0].uuid, labelset="ground-truth")
    image = load_image(await client.assets.read(samples[0].attributes.image.url))
    ids, found = await client.labels.get_bitmap(samples[0])
    categories = semantic(ids, found)

    assert dataset.full_name == "sandbox/pets"
    assert np.asarray(image).shape == (*categories.shape, 3)
    assert (set(np.unique(ids)), set(np.unique(categories))) == ({0, 1, 2}, {0, 1, 2})
    assert categories[1, 1] == 2
    assert label.label_status == "LABELED"
    created = state("/datasets/sandbox/pets/")
    assert (created["public"], created["description"]) == (False, "A dataset with images of cats and dogs.")
    assert [category["name"] for category in created["task_attributes"]["categories"]] == ["cat", "dog", "other"]
    listed = state("/datasets/sandbox/pets/samples/")
    assert [sample["name"] for sample in listed] == ["Bombay_220.jpg", "havanese_196.jpg", "shiba_inu_178.jpg"]
    stored = state(f"/labels/{listed[0]['uuid']}/ground-truth/")
    assert [annotation["category_id"] for annotation in stored["attributes"]["annotations"]] == [2, 1]
    assert stored["attributes"]["segmentation_bitmap"]["url"] in sandbox.assets()


async def test_model_assisted_labeling(client, segmented, state):
    """
    Train on a release, and send predictions for what is not labelled yet.

    Source: docs.segments.ai, "Speed up your image labeling workflow with model-assisted labeling".
    """
    await client.releases.create(segmented, "v0.1")
    release = await client.releases.wait(segmented, "v0.1", poll=0.01)
    trained_on = []
    async with client.releases.iterate(release, label_status=["labeled", "reviewed"]) as items:
        async for sample, image, _, bitmap in items:
            assert np.asarray(image).shape[:2] == bitmap.shape
            trained_on.append(sample.name)

    async for sample in client.samples.list(segmented, label_status="unlabeled"):
        image = load_image(await client.assets.read(sample.attributes.image.url))
        predicted = np.ones((image.height, image.width), np.uint32)
        annotations = [{"id": 1, "category_id": 1}]
        await client.labels.put_bitmap(sample, "ground-truth", predicted, annotations, label_status="PRELABELED")

    assert trained_on == ["0.png", "1.png"]
    listed = state("/datasets/sandbox/forest/samples/", labelset="ground-truth")
    assert [sample["label"]["label_status"] for sample in listed] == ["LABELED", "REVIEWED", "PRELABELED", "PRELABELED"]
    sent = state(f"/labels/{listed[3]['uuid']}/ground-truth/")["attributes"]
    assert [annotation["category_id"] for annotation in sent["annotations"]] == [1]


@pytest.mark.parametrize("kind", ["coco-panoptic", "coco-instance", "semantic", "instance"])
async def test_export(client, segmented, state, tmp_path, kind):
    """
    A release, filtered by ``["labeled", "reviewed"]``, in every format of the page.

    Source: docs.segments.ai, "Exporting image annotations to different formats".
    """
    await client.releases.create(segmented, "v0.1", description="The first one.")
    release = await client.releases.wait(segmented, "v0.1", poll=0.01)

    report = await client.releases.export(release, tmp_path, kind, label_status=["labeled", "reviewed"])

    assert (report.samples, report.failures) == (2, [])
    assert sorted(path.name for path in report.folder.glob("?.png")) == ["0.png", "1.png"]
    if report.file is None:
        masks = [path for path in report.folder.glob("*.png") if "label" in path.name]
        expected = 2 if kind == "semantic" else 1
        for path in masks:
            with Image.open(path) as mask:
                assert sorted(set(np.asarray(mask).ravel())) == [0, expected]
        assert len(masks) == 2
    else:
        found = json.loads(report.file.read_text())
        assert [image["file_name"] for image in found["images"]] == ["0.png", "1.png"]
        assert len(found["annotations"]) == 2
    [listed] = state("/datasets/sandbox/forest/releases/")
    assert (listed["name"], listed["status"]) == ("v0.1", "SUCCEEDED")
