"""A label of another program that fits no type is plain JSON, and harms nothing else."""

import pytest

from segments_async import AsyncSegments, WrongTypeError

pytestmark = pytest.mark.anyio

BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
DAMAGED = [
    {"annotations": [{"id": "x"}]},
    {"annotations": [{"id": 1, "category_id": 1, "points": [[1, 2]]}]},
    {"annotations": [{**BOX, "points": "none"}]},
    {"boxes": []},
]


@pytest.mark.parametrize("damaged", DAMAGED)
async def test_one_damaged_label_among_others(sandbox, damaged):
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        dataset = await client.datasets.create("flowers", task_type="bboxes")
        samples = [{"name": name, "attributes": {"image": {"url": "https://x.test/a"}}} for name in "ab"]
        report = await client.samples.create_many(dataset, samples)
        first, second = (outcome.uuid for outcome in report.successes)
        await client.labels.put(first, "ground-truth", {"annotations": [BOX]})
        await client.request("PUT", f"/labels/{second}/ground-truth/", json={"attributes": damaged})

        label = await client.labels.get(second)
        assert label.attributes == damaged
        with pytest.raises(WrongTypeError, match="the type of its attributes is not known"):
            label.vector  # noqa: B018
        listed = await client.samples.list(dataset, labelset="ground-truth", include_full_label=True)
        assert [sample.label.attributes == damaged for sample in listed] == [False, True]
        assert [len(list(sample.label.annotations())) for sample in listed] == [1, 0]
        many = await client.labels.get_many([first, second])
        assert [outcome.status for outcome in many.results] == ["done", "done"]
        changed = await client.labels.update(second, "ground-truth", label_status="REJECTED")
        assert (changed.attributes, changed.label_status) == (damaged, "REJECTED")
