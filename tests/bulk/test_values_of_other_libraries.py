"""Items and values of the official SDK, Arrow and pandas, against the service in memory."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pyarrow as pa
import pytest
from bulk_checks import URL, check_report, names_on, sample
from segments import typing as sdk

pytestmark = pytest.mark.anyio

BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
FLOWERS = "sandbox/flowers"
BIG = 2**128 - 1


class BrokenTime(datetime):
    """A datetime whose offset raises, as that of a broken zone does."""

    def utcoffset(self):
        raise ValueError("no such zone")


async def test_models_of_the_official_sdk(client, sandbox, flowers):
    """As attributes, as samples and labels, and to name samples."""
    attributes = sdk.ImageSampleAttributes(image=sdk.URL(url=URL))
    created = await client.samples.create(flowers, "a", attributes)
    theirs = sdk.Sample(
        uuid="u", name="b", attributes=attributes, metadata={"k": 1}, created_at="2020-01-01T00:00:00Z",
        created_by="j", assigned_labeler=None, assigned_reviewer=None, comments=[], priority=0, has_embedding=False,
    )  # fmt: skip
    report = await client.samples.create_many(flowers, [theirs])
    check_report(report)
    stored = sandbox.samples(FLOWERS)[1]
    assert (stored["name"], stored["metadata"], stored["attributes"]) == ("b", {"k": 1}, {"image": {"url": URL}})

    boxes = sdk.ImageVectorLabelAttributes(annotations=[sdk.ImageVectorAnnotation(**BOX)], format_version="0.1")
    await client.labels.put(created.uuid, "ground-truth", boxes)
    label = sdk.Label(
        sample_uuid=stored["uuid"], label_type="vector", label_status="REVIEWED", labelset="ground-truth",
        attributes=boxes, created_at="2020-01-01T00:00:00Z", created_by="j", updated_at="2020-01-01T00:00:00Z",
        updated_by="j",
    )  # fmt: skip
    check_report(await client.labels.put_many([label]))
    assert [sandbox.label(uuid)["label_status"] for uuid in (created.uuid, stored["uuid"])] == [
        "PRELABELED",
        "REVIEWED",
    ]
    assert sandbox.label(stored["uuid"])["attributes"]["annotations"] == [BOX]

    theirs.uuid = stored["uuid"]
    report = await client.samples.delete_many(flowers, [theirs])
    assert (report.deleted_count, names_on(sandbox)) == (1, ["a"])


async def test_scalars_of_arrow(client, sandbox, flowers):
    values = {"n": pa.scalar(2**64 - 1, pa.uint64()), "list": pa.scalar([1, 2]), "none": pa.scalar(None)}
    item = {"name": pa.scalar("a"), "attributes": {"image": {"url": pa.scalar(URL)}}, "metadata": values}
    report = await client.samples.create_many(flowers, [item])
    check_report(report)
    assert (report.results[0].key, sandbox.samples(FLOWERS)[0]["metadata"]) == (
        "a",
        {"n": 2**64 - 1, "list": [1, 2], "none": None},
    )
    await client.samples.update(pa.scalar(report.results[0].uuid), priority=pa.scalar(3))
    assert sandbox.samples(FLOWERS)[0]["priority"] == 3


async def test_integers_of_any_size(client, sandbox, flowers):
    """Read, changed and written back, they are the same."""
    created = await client.samples.create(flowers, "a", {"image": {"url": URL}}, metadata={"hash": BIG, "neg": -BIG})
    found = await client.samples.get(created.uuid)
    await client.samples.update(found.uuid, metadata={**found.metadata, "checked": True})
    [listed] = await client.samples.list(flowers)
    assert listed.metadata == {"hash": BIG, "neg": -BIG, "checked": True}


async def test_missing_values_of_pandas(client, sandbox, flowers):
    """They are null in metadata; a time that cannot be written fails its item alone, and so does a missing name."""
    items = [sample(str(number)) for number in range(4)]
    items[0]["metadata"] = {"taken": pd.NaT, "count": pd.NA, "score": pd.Series([1.5, None])[0]}
    items[1]["metadata"] = {"taken": BrokenTime(2024, 1, 1, tzinfo=datetime.now().astimezone().tzinfo)}
    items[2]["name"] = pd.NaT
    report = await client.samples.create_many(flowers, items)
    check_report(report)
    assert [str(outcome.error) for outcome in report.failures] == [
        "samples[1].metadata.taken: raised ValueError: no such zone",
        "samples[2].name: expected a string, got null",
    ]
    assert names_on(sandbox) == ["0", "3"]
    assert sandbox.samples(FLOWERS)[0]["metadata"] == {"taken": None, "count": None, "score": 1.5}
