"""The classes of outcomes: which ending has which, and what it always has."""

from __future__ import annotations

import copy
import pickle
from typing import get_args

import pytest
from echo_operation import bulk

from segments_async import Failed, Outcome, Skipped, Succeeded, Unsent
from segments_async.bulk.outcomes import Status, outcome_of
from segments_async.errors import SegmentsError

CLASSES = {"skipped": Skipped, "failed": Failed, "unknown": Failed, "unsent": Unsent}


@pytest.mark.parametrize("status", get_args(Status))
def test_each_status_has_its_class(status):
    outcome = outcome_of(status, index=0, key="a", uuid="u-1", item="a")

    assert type(outcome) is CLASSES.get(status, Succeeded)
    assert isinstance(outcome, Outcome)
    assert outcome.succeeded == isinstance(outcome, Succeeded | Skipped)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda outcome: pickle.loads(pickle.dumps(outcome))])
def test_copies_have_the_class_of_the_original(duplicate):
    original = outcome_of("failed", index=3, key="a", item="a", error=SegmentsError("no"))

    copied = duplicate(original)

    assert type(copied) is Failed
    assert (copied.index, copied.status, str(copied.error)) == (3, "failed", "no")


def test_an_outcome_has_no_room_for_other_attributes():
    with pytest.raises(AttributeError):
        outcome_of("done", index=0, key="a", uuid="u-1", item="a").values = 1


def test_pickles_of_0_1_can_be_read():
    restored = Outcome(index=0, key="a", item="a", status="done").__reduce__()[0]

    assert type(restored({"index": 0, "key": "a", "item": "a", "retry_item": "a", "status": "done"})) is Outcome


@pytest.mark.anyio
async def test_a_run_gives_each_item_the_outcome_of_its_ending():
    report = await bulk([1, "two", 3], max_failures=5).collect()

    assert [type(outcome) for outcome in report.results] == [Succeeded, Failed, Succeeded]
    assert [outcome.index for outcome in report.successes] == [0, 2]
    assert report.values == [1, 3]
    assert [str(outcome.error) for outcome in report.failures] == ["numbers[1]: expected a number, got 'two'"]


@pytest.mark.anyio
async def test_items_after_a_stop_are_unsent():
    report = await bulk(["one", *range(5)], max_failures=0).collect()

    assert {type(outcome) for outcome in report.results} == {Failed, Unsent}
    assert report.successes == report.values == []


@pytest.mark.anyio
async def test_every_success_has_a_uuid(client, sandbox, tmp_path):
    """Created, existing, updated, skipped and done: the uuid is that of the sample; a plain URL has an empty one."""
    dataset = await client.datasets.create("flowers")
    item = {"name": "a", "attributes": {"image": {"url": "https://example.com/a.png"}}}
    create = client.samples.create_many

    made = await create(dataset, [item], checkpoint=tmp_path / "run.db")
    skipped = await create(dataset, [item], checkpoint=tmp_path / "run.db")
    [uuid] = (await client.samples.uuids(dataset)).values()
    reports = [
        made,
        skipped,
        await create(dataset, [item], if_exists="update"),
        await client.samples.update_many([{"uuid": uuid, "priority": 1}]),
        await client.labels.put_many([{"sample_uuid": uuid, "attributes": {"annotations": []}}]),
        await client.labels.get_many([uuid]),
        await client.labels.update_many([{"sample_uuid": uuid, "score": 1}]),
        await client.labels.delete_many([uuid]),
        await client.labels.get_many([uuid]),
        await client.samples.delete_many(dataset, [uuid]),
    ]
    asset = await client.assets.upload(b"...", "a.png")
    downloaded = await client.assets.download_many([asset.url], tmp_path)

    assert [[outcome.uuid for outcome in report.successes] for report in reports] == [[uuid]] * len(reports)
    assert [type(outcome) for outcome in skipped.results] == [Skipped]
    assert [outcome.uuid for outcome in downloaded.successes] == [""]
    again = await client.labels.get_many(downloaded.results)
    assert "has no uuid" in str(again.failures[0].error)
