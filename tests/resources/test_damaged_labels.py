"""A label of another program that fits no type is plain JSON, and harms nothing else."""

import httpx
import pytest

from segments_async import AsyncSegments, DecodeError, Label, Sample, WrongTypeError, structure, unstructure
from segments_async._serialization.converter import structure_answer

BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
DAMAGED = [
    {"annotations": [{"id": "x"}]},
    {"annotations": [{"id": 1, "category_id": 1, "points": [[1, 2]]}]},
    {"annotations": [{**BOX, "points": "none"}]},
    {"boxes": []},
]
NO_OBJECT = [7, 0.5, True, "none", "", [1], [[]]]
IMAGE = {"image": {"url": "https://x.test/a"}}


@pytest.mark.anyio
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


def rows_with(damaged):
    label = {"label_type": "bboxes", "label_status": "LABELED", "attributes": damaged}
    return [
        {"uuid": "u-1", "name": "a", "attributes": IMAGE, "label": {"attributes": {"annotations": [BOX]}}},
        {"uuid": "u-2", "name": "b", "attributes": IMAGE, "label": label},
        {"uuid": "u-3", "name": "c", "attributes": damaged, "label": label},
    ]


def answering(rows):
    """A client of a service that has stored the samples *rows*, each with its label."""

    def answer(request):
        place = [row for row in rows if row["uuid"] in request.url.path]
        if not place:
            return httpx.Response(200, json=rows if request.url.params["page"] == "1" else [])
        return httpx.Response(200, json=place[0]["label"] if "labels" in request.url.path else place[0])

    return AsyncSegments("some-key", transport=httpx.MockTransport(answer))


@pytest.mark.anyio
@pytest.mark.parametrize("damaged", NO_OBJECT)
async def test_attributes_that_are_no_object(damaged):
    """Whatever JSON is stored as the attributes of a label or a sample, it is kept, and the others are read."""
    rows = rows_with(damaged)
    async with answering(rows) as client:
        listed = await client.samples.list("jane/flowers", labelset="ground-truth", include_full_label=True)
        streamed = [sample async for sample in client.samples.list("jane/flowers", labelset="ground-truth")]
        many = await client.labels.get_many(["u-1", "u-2"])
        alone = await client.samples.get("u-3"), await client.labels.get("u-2")

    assert unstructure(listed) == unstructure(streamed) == rows
    assert [len(list(sample.label.annotations())) for sample in listed] == [1, 0, 0]
    assert [unstructure(value) for value in many.values] == [row["label"] for row in rows[:2]]
    assert [one.attributes for one in alone] == [damaged, damaged]
    for model, name in zip(alone, ("image", "vector"), strict=True):
        assert not hasattr(model, name)


def test_tables_of_attributes_that_are_no_object():
    tables = pytest.importorskip("segments_async.tables", exc_type=ImportError)
    samples = [structure_answer(row, Sample) for damaged in NO_OBJECT for row in rows_with(damaged)]
    assert tables.samples_table(samples).num_rows == tables.labels_table(samples).num_rows == len(samples)


@pytest.mark.parametrize("damaged", [7, "none"])
@pytest.mark.parametrize("model", [Label, Sample])
def test_what_is_passed_to_structure_is_read_strictly(model, damaged):
    with pytest.raises(DecodeError, match=r"^attributes: expected (an object|a list or an object), got"):
        structure({"uuid": "u-1", "name": "a", "attributes": damaged}, model)
