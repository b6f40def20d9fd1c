"""What a script finds on the service, and what the service has afterwards."""

from __future__ import annotations

import httpx
import numpy as np
import pytest
from script_inputs import PETS, picture


@pytest.fixture
def state(sandbox):
    """``state("/datasets/sandbox/pets/samples/")``: what the service answers to a plain request."""

    def get(path, **query):
        headers = {"Authorization": f"APIKey {sandbox.api_key}"}
        response = httpx.get(f"{sandbox.url}{path}", params=query, headers=headers)
        return response.json() if response.is_success else response.status_code

    return get


@pytest.fixture
async def segmented(client):
    """A dataset of four images: labelled, reviewed, prelabelled and unlabelled."""
    dataset = await client.datasets.create(
        "forest", task_type="segmentation-bitmap", task_attributes={"format_version": "0.1", "categories": PETS}
    )
    report = await client.samples.upload_files(dataset, [(f"{n}.png", picture(kind="PNG")) for n in range(4)])
    array = np.zeros((6, 8), np.uint32)
    array[2:4, 3:7] = 1
    for outcome, status in zip(report.results, ["LABELED", "REVIEWED", "PRELABELED"], strict=False):
        annotations = [{"id": 1, "category_id": 2}]
        await client.labels.put_bitmap(outcome.uuid, "ground-truth", array, annotations, label_status=status)
    return dataset
