"""The dataset of the tests with Ray."""

from __future__ import annotations

import anyio

from segments_async import AsyncSegments

DATASET = "sandbox/flowers"
CATEGORIES = {"format_version": "0.1", "categories": [{"name": "rose", "id": 1}]}


class Service:
    """The sandbox, with a dataset."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def run(self, function):
        """Call an async function with a client."""

        async def call():
            async with AsyncSegments(self.sandbox.api_key, base_url=self.sandbox.url) as client:
                return await function(client)

        return anyio.run(call)

    def create_dataset(self):
        """Create the dataset, and a labelset for predictions."""

        async def create(client):
            await client.datasets.create("flowers", task_type="bboxes", task_attributes=CATEGORIES)
            await client.labelsets.create(DATASET, "predictions")

        self.run(create)

    def create_samples(self, count):
        """Create ``s0``, ``s1``, …; returns their uuids by name."""

        async def create(client):
            await client.samples.create_many(DATASET, [sample_row(number) for number in range(count)])
            return await client.samples.uuids(DATASET)

        return self.run(create)

    def samples(self):
        """All names, in their order."""
        return sorted(self.run(lambda client: client.samples.uuids(DATASET)))


def sample_row(number):
    return {"name": f"s{number}", "attributes": {"image": {"url": f"https://example.com/{number}.jpg"}}}
