from __future__ import annotations

import httpx
import pytest

from segments_async.sandbox import Sandbox


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.fixture
def api(sandbox):
    """A plain client that knows the key."""
    headers = {"Authorization": f"APIKey {sandbox.api_key}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, verify=False, trust_env=False) as client:
        yield client


@pytest.fixture
def other(sandbox):
    """A plain client that knows the other user's key."""
    headers = {"Authorization": f"APIKey {sandbox.other_api_key}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, verify=False, trust_env=False) as client:
        yield client


@pytest.fixture
def web():
    """A plain client that knows nothing."""
    with httpx.Client(verify=False, trust_env=False) as client:
        yield client


@pytest.fixture
def flowers(api):
    """The path of an existing dataset."""
    assert api.post("/user/datasets/", json={"name": "flowers"}).status_code == 201
    return "/datasets/sandbox/flowers"


@pytest.fixture
def rose(api, flowers):
    """The uuid of an existing sample."""
    body = {"name": "rose.png", "attributes": {"image": {"url": "https://example.com/rose.png"}}}
    return api.post(f"{flowers}/samples/", json=body).json()["uuid"]
