"""Through a server: a label or a sample that is read, changed in one place and written back differs in just that."""

from copy import deepcopy

import pytest
from payloads_of_every_kind import LABELS, SAMPLE_OF, SAMPLES, TASK_ATTRIBUTES

from segments_async import Annotation, Model, unstructure
from segments_async.models import PointcloudCuboidAnnotation

pytestmark = pytest.mark.anyio


def with_odd_keys(value):
    """The same JSON with an unknown key in every object that is not the caller's own."""
    if isinstance(value, list):
        return [with_odd_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: with_odd_keys(item) for key, item in value.items()} | {"odd": [1, 1.0, None, {"camelCase": ""}]}


def first_annotation(attributes):
    """The JSON of the first annotation, wherever it is."""
    for step in ("sensors", "frames", "annotations"):
        if step in attributes:
            attributes = attributes[step][0]
            attributes = attributes.get("attributes", attributes) if step == "sensors" else attributes
    return attributes


@pytest.mark.parametrize("tag", LABELS)
async def test_labels(client, sandbox, tag):
    await client.datasets.create("flowers", task_type=tag)
    sample = await client.samples.create("sandbox/flowers", "a", SAMPLES[SAMPLE_OF[tag]])
    attributes = with_odd_keys(LABELS[tag])
    sent = deepcopy(attributes)
    await client.labels.put(sample.uuid, "ground-truth", attributes, label_status="REVIEWED", score=0.5)
    before = deepcopy(sandbox.label(sample.uuid))
    assert before["attributes"] == sent == attributes

    label = await client.labels.get(sample.uuid)
    assert isinstance(label.attributes, Model)
    _, _, annotation = next(label.annotations())
    assert isinstance(annotation, Annotation)
    annotation.category_id = 7
    if isinstance(annotation, PointcloudCuboidAnnotation):
        annotation.position.x = 99
    await client.labels.put(
        sample.uuid, "ground-truth", label.attributes, label_status=label.label_status, score=label.score
    )

    after = sandbox.label(sample.uuid)
    expected = {**before, "updated_at": after["updated_at"]}
    first_annotation(expected["attributes"])["category_id"] = 7
    if isinstance(annotation, PointcloudCuboidAnnotation):
        first_annotation(expected["attributes"])["position"]["x"] = 99
    assert after == expected


@pytest.mark.parametrize("kind", SAMPLES)
async def test_samples(client, sandbox, kind):
    await client.datasets.create("flowers")
    attributes = with_odd_keys(SAMPLES[kind])
    uuid = (await client.samples.create("sandbox/flowers", "a", attributes)).uuid
    sample = await client.samples.get(uuid)
    assert isinstance(sample.attributes, Model)
    sample.attributes.extra["odd"] = 2
    await client.samples.update(uuid, attributes=sample.attributes)
    assert unstructure((await client.samples.get(uuid)).attributes) == {**attributes, "odd": 2}


async def test_task_attributes(client):
    created = await client.datasets.create("flowers", task_attributes=TASK_ATTRIBUTES)
    assert unstructure(created.task_attributes) == TASK_ATTRIBUTES
    created.task_attributes.categories[0].attributes[3].max = 20
    changed = await client.datasets.update(created, task_attributes=created.task_attributes)
    expected = deepcopy(TASK_ATTRIBUTES)
    expected["categories"][0]["attributes"][3]["max"] = 20
    assert unstructure(changed.task_attributes) == expected
