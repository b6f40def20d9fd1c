"""Names hold any character: each travels whole, as one segment of the path or in the body."""

from __future__ import annotations

import inspect
import json

import httpx
import pytest
from call_kit import ODD, ODD_PATH
from test_resource_arguments import OF_A_DATASET, OF_A_NAME

from segments_async import AsyncSegments

pytestmark = pytest.mark.anyio


class Sent(Exception):  # noqa: N818 (it ends the call where it is looked at)
    """A request was sent."""


async def first_request(call, argument):
    requests = []

    def answer(request):
        requests.append(request)
        raise Sent

    async with AsyncSegments("key", base_url="https://x", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(Sent):
            await call(client, argument)
    return requests[0]


def sends(call):
    """Whether a call sends anything: a bulk call of nothing does not."""
    return "[]" not in inspect.getsource(call)


@pytest.mark.parametrize("call", [call for call, _ in OF_A_NAME if sends(call)])
async def test_names(call):
    request = await first_request(call, ODD)
    path, _, query = request.url.raw_path.decode().partition("?")
    in_body = bool(request.content) and ODD in json.loads(request.content).values()
    assert in_body != (ODD_PATH in path.split("/"))
    assert ODD_PATH not in query


@pytest.mark.parametrize("call", [call for call in OF_A_DATASET if sends(call)])
async def test_datasets(call):
    request = await first_request(call, f"{ODD}/{ODD}")
    assert request.url.raw_path.decode().startswith(f"/datasets/{ODD_PATH}/{ODD_PATH}/")
