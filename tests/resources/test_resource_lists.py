"""Rules for every list."""

from __future__ import annotations

import inspect

import httpx
import pytest

from segments_async import AsyncSegments, DecodeError, InputError, Pages

pytestmark = pytest.mark.anyio

LISTS = {
    "datasets": {"name": "flowers"},
    "samples": {"uuid": "u", "name": "n"},
    "labelsets": {"name": "n"},
    "releases": {"name": "n"},
    "issues": {"uuid": "u", "description": "d", "status": "OPEN"},
    "workunits": {"uuid": "u"},
}


@pytest.fixture
async def client(anyio_backend):
    """A client whose lists have two good rows, and between them one that does not decode."""

    def answer(request):
        row = LISTS[request.url.path.strip("/").rpartition("/")[2]]
        return httpx.Response(200, json=[row, {**row, "created_at": {}, "name": 7, "uuid": 8}, row])

    async with AsyncSegments("key", base_url="https://x", transport=httpx.MockTransport(answer)) as client:
        yield client


def list_of(client, name, **options):
    return getattr(client, name).list("jane" if name == "datasets" else "jane/flowers", **options)


def test_every_list_is_here():
    """The table below has all of them."""
    client = AsyncSegments("key")
    resources = {name for name in dir(client) if not name.startswith("_") and hasattr(getattr(client, name), "list")}
    assert resources == set(LISTS)
    for name in resources:
        assert inspect.signature(getattr(client, name).list).parameters["on_error"].default == "raise"


@pytest.mark.parametrize("name", LISTS)
async def test_row_that_does_not_decode(client, name):
    """The error names it, or it is skipped and reported, in the same way everywhere."""
    with pytest.raises(DecodeError) as caught:
        await list_of(client, name)
    assert (caught.value.row, caught.value.page) == (1, 1)

    pages = list_of(client, name, on_error="skip")
    assert isinstance(pages, Pages)
    assert len(await pages) == 2
    assert [(error.row, error.payload["uuid"]) for error in pages.skipped] == [(1, 8)]

    with pytest.raises(InputError, match="on_error: expected 'raise' or 'skip', got 'ignore'"):
        list_of(client, name, on_error="ignore")
