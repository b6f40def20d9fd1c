"""A 404 on a label: a note says whether the sample or the labelset is missing, where that can be known."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from segments_async import NotFoundError

pytestmark = pytest.mark.anyio

BOXES = {"annotations": []}
IDS = np.ones((2, 2), np.uint32)
OBJECTS = [{"id": 1, "category_id": 1}]

CALLS = {
    "get": lambda labels, uuid, labelset: labels.get(uuid, labelset),
    "put": lambda labels, uuid, labelset: labels.put(uuid, labelset, BOXES),
    "update": lambda labels, uuid, labelset: labels.update(uuid, labelset, score=0.5),
    "delete": lambda labels, uuid, labelset: labels.delete(uuid, labelset),
    "put_bitmap": lambda labels, uuid, labelset: labels.put_bitmap(uuid, labelset, IDS, OBJECTS),
    "get_bitmap": lambda labels, uuid, labelset: labels.get_bitmap(uuid, labelset),
}


@pytest.fixture
async def uuid(client):
    flowers = await client.datasets.create("flowers", task_type="vector")
    return (await client.samples.create(flowers, "rose", {"image": {"url": "https://example.com/rose.jpg"}})).uuid


async def not_found(call):
    with pytest.raises(NotFoundError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize("call", CALLS)
async def test_the_sample_is_missing(client, sandbox, uuid, call):
    error = await not_found(CALLS[call](client.labels, "none", "ground-truth"))

    assert error.__notes__ == ["there is no sample 'none'"]
    assert "/labels/none/" in error.url  # it is still the error of the call
    assert pickle.loads(pickle.dumps(error)).__notes__ == error.__notes__


@pytest.mark.parametrize("call", CALLS)
async def test_the_labelset_is_missing(client, sandbox, uuid, call):
    error = await not_found(CALLS[call](client.labels, uuid, "other"))

    unlabelled = "it has no label in 'other', or its dataset has no such labelset"
    words = "its dataset has no labelset 'other'" if call.startswith("put") else unlabelled
    assert error.__notes__ == [f"the sample exists, but {words}"]


async def test_one_request_more_after_a_404_alone(client, sandbox, uuid):
    sandbox.clear_calls()
    await client.labels.put(uuid, "ground-truth", BOXES)
    await client.labels.get(uuid)
    assert len(sandbox.calls) == 2

    await not_found(client.labels.get(uuid, "other"))
    assert [(call.method, call.path, call.status) for call in sandbox.calls[2:]] == [
        ("GET", f"/labels/{uuid}/other/", 404),
        ("GET", f"/samples/{uuid}/", 200),
    ]


@pytest.mark.parametrize("words", ["No Sample matches the given query.", "No Labelset matches the given query."])
async def test_no_request_where_the_service_says_it(client, sandbox, uuid, words):
    sandbox.fail("GET", "/labels/*", status=404, json={"detail": words})
    sandbox.clear_calls()

    error = await not_found(client.labels.get(uuid))

    assert words in str(error)
    assert not hasattr(error, "__notes__")
    assert len(sandbox.calls) == 1


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 403}, {"drop": "before"}])
async def test_a_failure_of_the_question_hides_nothing(client, sandbox, uuid, fault):
    sandbox.fail("GET", "/samples/*", times=None, **fault)
    sandbox.clear_calls()

    error = await not_found(client.labels.get(uuid))

    assert not hasattr(error, "__notes__")
    assert len([call for call in sandbox.calls if call.path.startswith("/samples/")]) <= 1  # it is not asked again


@pytest.mark.parametrize("call", ["put_many", "update_many", "delete_many"])
async def test_bulk_calls_ask_nothing(client, sandbox, uuid, call):
    items = {
        "put_many": [{"sample_uuid": "none", "attributes": BOXES}],
        "update_many": [{"sample_uuid": "none", "score": 0.5}],
        "delete_many": ["none"],
    }
    sandbox.clear_calls()

    report = await getattr(client.labels, call)(items[call])

    assert len(sandbox.calls) == 1
    assert report.total == 1
