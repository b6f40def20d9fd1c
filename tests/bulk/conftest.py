from __future__ import annotations

import pytest


@pytest.fixture
async def flowers(client):
    """The name of a dataset that is there."""
    await client.datasets.create("flowers")
    return "sandbox/flowers"
