from __future__ import annotations

import pytest


@pytest.fixture
async def flowers(client):
    """The name of an existing dataset."""
    await client.datasets.create("flowers")
    return "sandbox/flowers"
