"""What a strict type checker sees of tables; only checkers read this file, nothing runs it."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyarrow has no types of its own, so its tables are unknown to pyright.

from typing import assert_type

from segments_async import AsyncSegments, BulkReport, Label, LabelPut, SampleCreate, open_release
from segments_async.export import ExportReport
from segments_async.tables import TableItems, items_from_table, label_batches, labels_table, samples_table


async def tables(client: AsyncSegments) -> None:
    """Tables are made of lists at once, and of what is read asynchronously when awaited."""
    labels: list[Label] = []
    labels_table(labels).column("category")
    (await samples_table(client.samples.list("jane/flowers"))).to_pandas()
    async with open_release("v1.json") as release:
        async for batch in label_batches(release, labelset="ground-truth"):
            await client.labels.put_many(items_from_table(batch))
    items = items_from_table({"sample_uuid": ["u"], "category_id": [1]}, items="labels", on_error="skip")
    assert_type(items, TableItems[LabelPut])
    assert_type(items_from_table({"name": ["a"]}, items="samples"), TableItems[SampleCreate])
    assert_type(await client.labels.put_many(items, labelset="model"), BulkReport[Label])
    assert_type(await client.releases.export("v1.json", "out", "parquet", overwrite=True), ExportReport)
