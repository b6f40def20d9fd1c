"""Labels in bulk, against the service in memory on a real socket."""

from __future__ import annotations

from uuid import UUID

import pytest
from bulk_checks import check_report, drain, samples
from waiting import HOUR, cancel_once

from segments_async import (
    AsyncSegments,
    AuthenticationError,
    DecodeError,
    ImageVectorAnnotation,
    ImageVectorLabelAttributes,
    InputError,
    Label,
    LabelPut,
    NotFoundError,
    RetryPolicy,
    ServerError,
    ValidationError,
)

pytestmark = pytest.mark.anyio

BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}
BOXES = {"annotations": [BOX]}
CUBOID = {
    "id": 1,
    "category_id": 1,
    "type": "cuboid",
    "position": {"x": 0.5, "y": 0, "z": 0},
    "dimensions": {"x": 1, "y": 2, "z": 3},
    "yaw": 1.5,
}


async def labelled(client, count, task_type="bboxes"):
    """A dataset with samples; returns their uuids."""
    await client.datasets.create("flowers", task_type=task_type)
    report = await client.samples.create_many("sandbox/flowers", samples(count))
    return [outcome.uuid for outcome in report.results]


@pytest.fixture
async def uuids(client):
    return await labelled(client, 5)


async def test_put_many(client, sandbox, uuids):
    report = await client.labels.put_many(LabelPut(uuid, BOXES, score=0.5) for uuid in uuids)

    check_report(report)
    assert dict(report.counts) == {"done": 5}
    assert [outcome.uuid for outcome in report.results] == uuids
    assert [outcome.key for outcome in report.results] == [f"{uuid}/ground-truth" for uuid in uuids]
    assert [outcome.value.sample_uuid for outcome in report.results] == uuids
    stored = sandbox.labels("sandbox/flowers")
    assert [stored[uuid]["score"] for uuid in uuids] == [0.5] * 5
    assert {call.path for call in sandbox.calls if call.method == "PUT"} == {
        f"/labels/{uuid}/ground-truth/" for uuid in uuids
    }


async def test_kinds_of_items(client, sandbox, uuids):
    typed = ImageVectorLabelAttributes(
        annotations=[ImageVectorAnnotation(id=1, category_id=1, type="point", points=[[1, 2]])]
    )
    given = {"sample_uuid": uuids[2], "attributes": BOXES, "label_status": "LABELED", "novel": [1]}
    report = await client.labels.put_many(
        [
            LabelPut(uuids[0], typed, label_status="REVIEWED", extra={"robot": 7}),
            Label(sample_uuid=uuids[1], attributes=typed, labelset="ground-truth", created_by="nobody", rating=2),
            given,
            {"sample_uuid": UUID(uuids[3]), "attributes": {"annotations": [typed.annotations[0]]}},
        ]
    )

    check_report(report)
    assert dict(report.counts) == {"done": 4}
    first, second, third, fourth = (sandbox.label(uuid) for uuid in uuids[:4])
    assert (first["label_status"], first["robot"]) == ("REVIEWED", 7)
    assert (second["label_status"], second["created_by"], second["rating"]) == ("PRELABELED", "sandbox", None)
    assert (third["label_status"], third["novel"]) == ("LABELED", [1])
    assert fourth["attributes"]["annotations"][0]["points"] == [[1, 2]]
    assert given == {"sample_uuid": uuids[2], "attributes": BOXES, "label_status": "LABELED", "novel": [1]}
    assert report.results[3].uuid == uuids[3]


async def test_several_labelsets(client, sandbox, uuids):
    """The item's own labelset comes first, then the call's; the same sample may be in both."""
    await client.request("POST", "/datasets/sandbox/flowers/labelsets/", json={"name": "my preds", "attributes": "{}"})
    report = await client.labels.put_many(
        [
            LabelPut(uuids[0], BOXES),
            LabelPut(uuids[0], BOXES, labelset="ground-truth"),
            {"sample_uuid": uuids[1], "attributes": BOXES, "labelset": None},
        ],
        labelset="my preds",
    )
    check_report(report)
    assert report.succeeded == 3
    assert [outcome.key for outcome in report.results] == [
        f"{uuids[0]}/my preds",
        f"{uuids[0]}/ground-truth",
        f"{uuids[1]}/my preds",
    ]
    assert set(sandbox.labels("sandbox/flowers", "my preds")) == set(uuids[:2])
    assert {call.path for call in sandbox.calls if call.method == "PUT"} >= {f"/labels/{uuids[1]}/my%20preds/"}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (5, "labels[0]: expected a LabelPut, a Label or a mapping, got int"),
        ({}, "labels[0].sample_uuid: missing"),
        ({"sample_uuid": "u"}, "labels[0].attributes: missing"),
        (LabelPut("", BOXES), "labels[0].sample_uuid: expected a name, got ''"),
        (LabelPut("..", BOXES), "labels[0].sample_uuid: expected a name, got '..'"),
        (LabelPut(7, BOXES), "labels[0].sample_uuid: expected a string, got int"),
        (LabelPut("u", BOXES, labelset=" "), "labels[0].labelset: expected a name, got ' '"),
        ({"sample_uuid": "u", "attributes": BOXES, "labelset": ""}, "labels[0].labelset: expected a name, got ''"),
        (Label(attributes=BOXES), "labels[0].sample_uuid: missing"),
        (
            LabelPut("u", {"annotations": [BOX, {**BOX, "points": [[1, "2"]]}]}),
            "labels[0].attributes.annotations[1].points[0][1]: expected a number, got str",
        ),
        (LabelPut("u", BOXES, score=float("inf")), "labels[0].score: an infinity is not JSON"),
        (LabelPut("u", {"x": "\ud800"}), "labels[0].attributes.x: half a character (a lone surrogate) in '\\ud800'"),
    ],
)
async def test_bad_items(client, sandbox, uuids, item, words):
    report = await client.labels.put_many([item, LabelPut(uuids[0], BOXES)])

    check_report(report)
    assert str(report.results[0].error) == words
    assert type(report.results[0].error) is InputError
    assert dict(report.counts) == {"failed": 1, "done": 1}


@pytest.mark.parametrize("labelset", ["", " ", ".", "..", None, 5])
async def test_bad_labelset(client, sandbox, labelset):
    with pytest.raises(InputError, match=r"^labelset: "):
        await client.labels.put_many([LabelPut("u", BOXES)], labelset=labelset)
    assert sandbox.calls == ()


async def test_duplicates(client, uuids):
    report = await client.labels.put_many([LabelPut(uuids[0], BOXES)] * 2)
    assert dict(report.counts) == {"done": 1, "failed": 1}
    assert report.failures[0].uuid == uuids[0]


@pytest.mark.parametrize(
    ("task_type", "attributes"),
    [
        ("bboxes", BOXES),
        (
            "segmentation-bitmap",
            {"segmentation_bitmap": {"url": "https://x/a.png"}, "annotations": [{"id": 1, "category_id": 2}]},
        ),
        ("pointcloud-cuboid", {"annotations": [CUBOID], "format_version": "0.2"}),
    ],
)
async def test_get_change_put(client, sandbox, task_type, attributes):
    """Only the change is written, whatever the label's type and whatever unknown keys are in it."""
    uuids = await labelled(client, 2, task_type)
    attributes = {**attributes, "novel": {"a": None}}
    report = await client.labels.put_many(
        LabelPut(uuid, attributes, label_status="REVIEWED", score=0.25) for uuid in uuids
    )
    assert report.succeeded == 2
    before = sandbox.label(uuids[0])

    labels = [await client.labels.get(uuid) for uuid in uuids]
    for label in labels:
        if isinstance(label.attributes, dict):
            label.attributes["annotations"][0]["category_id"] = 9
        else:
            label.attributes.annotations[0].category_id = 9
    report = await client.labels.put_many(labels)

    assert report.succeeded == 2
    after = sandbox.label(uuids[0])
    expected = {**before, "updated_at": after["updated_at"]}
    expected["attributes"]["annotations"][0]["category_id"] = 9
    assert after == expected


class TestFaults:
    """What the service and the network do to a run."""

    async def test_one_bad_among_many(self, client, sandbox, uuids):
        """A missing sample does not affect the others."""
        items = [LabelPut(uuid, BOXES) for uuid in [*uuids[:2], "no-such-uuid", *uuids[2:]]]
        report = await client.labels.put_many(items)
        check_report(report)
        assert [outcome.index for outcome in report.failures] == [2]
        assert type(report.failures[0].error) is NotFoundError
        assert (report.stopped, report.failures[0].retryable) == (None, False)

    async def test_refused(self, client, uuids):
        report = await client.labels.put_many(
            [LabelPut(uuids[0], BOXES, label_status="NOVEL"), LabelPut(uuids[1], BOXES)]
        )
        assert type(report.failures[0].error) is ValidationError
        assert report.failures[0].error.fields == {"label_status": ['"NOVEL" is not a valid choice.']}
        assert report.succeeded == 1

    async def test_fatal(self, client, sandbox, uuids):
        sandbox.fail("PUT", "*", status=401, times=None)
        report = await client.labels.put_many([LabelPut(uuid, BOXES) for uuid in uuids], concurrency=2)
        check_report(report)
        assert (report.stopped, report.succeeded) == ("fatal", 0)
        assert 1 <= report.failed <= 2
        assert type(report.failures[0].error) is AuthenticationError
        assert len(report.retry_items) == 5

    @pytest.mark.parametrize("drop", ["before", "after", "middle"])
    async def test_cut_connections(self, patient, sandbox, drop):
        uuids = await labelled(patient, 5)
        sandbox.fail("PUT", "*", drop=drop, times=4)
        report = await patient.labels.put_many([LabelPut(uuid, BOXES) for uuid in uuids])
        assert dict(report.counts) == {"done": 5}
        assert report.retries == 4
        assert set(sandbox.labels("sandbox/flowers")) == set(uuids)

    async def test_mixed_faults(self, sandbox, uuids):
        faults = [
            {"status": 429, "headers": {"Retry-After": "1"}},
            {"status": 500},
            {"status": 200, "body": b"{"},
            {"drop": "after"},
        ]
        for fault in faults:
            sandbox.fail("PUT", "*", **fault)
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=RetryPolicy(bulk_attempts=1)) as client:
            report = await client.labels.put_many([LabelPut(uuid, BOXES) for uuid in uuids], concurrency=1)
            check_report(report)
            assert [outcome.status for outcome in report.results] == ["failed", "failed", "unknown", "unknown", "done"]
            assert isinstance(report.results[1].error, ServerError)
            assert isinstance(report.results[2].error, DecodeError)
            again = await client.labels.put_many(report.retry_items)
        assert again.succeeded == 4

    async def test_cancellation_leaves_the_client_healthy(self, client, sandbox, uuids):
        fault = sandbox.fail("PUT", "*", status=None, delay=HOUR, times=None)
        for _ in range(3):
            stream = client.labels.stream_put([LabelPut(uuid, BOXES) for uuid in uuids], concurrency=2)
            before = fault.hits
            await cancel_once(lambda: fault.hits == before + 2, stream.collect)  # noqa: B023 (called at once)
            check_report(stream.report)
            assert dict(stream.report.counts) == {"unknown": 2, "unsent": 3}
        assert fault.hits
        sandbox.clear_faults()
        report = await client.labels.put_many(LabelPut(uuid, BOXES) for uuid in uuids)
        assert report.succeeded == 5

    async def test_concurrency(self, sandbox, uuids):
        """As many in flight as there are connections, and each of them is used again."""
        sandbox.latency = 0.01
        sandbox.clear_calls()
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, max_connections=3) as client:
            items = [{"sample_uuid": uuid, "attributes": BOXES} for uuid in uuids * 4]
            report = await client.labels.put_many(items, check_duplicates=False)
        assert report.succeeded == 20
        assert len({call.peer_port for call in sandbox.calls}) == 3

    async def test_stream(self, client, uuids):
        stream = client.labels.stream_put((LabelPut(uuid, BOXES) for uuid in uuids), concurrency=2)
        seen = []
        await drain(stream, seen)
        check_report(stream.report, seen)
        assert stream.report.succeeded == 5
