"""Names contain any character: each is sent whole, as one segment of the path or in the body."""

from __future__ import annotations

import inspect
import json

import pytest
from request_checks import ODD, ODD_PATH, first_request
from test_resource_arguments import OF_A_DATASET, OF_A_NAME

pytestmark = pytest.mark.anyio


def sends(call):
    """Whether a call sends anything: a bulk call without items does not."""
    return "[]" not in inspect.getsource(call)


@pytest.mark.parametrize("call", [call for call, _ in OF_A_NAME if sends(call)])
async def test_names(call):
    request = await first_request(lambda client: call(client, ODD))
    path, _, query = request.url.raw_path.decode().partition("?")
    in_body = bool(request.content) and ODD in json.loads(request.content).values()
    assert in_body != (ODD_PATH in path.split("/"))
    assert ODD_PATH not in query


@pytest.mark.parametrize("call", [call for call in OF_A_DATASET if sends(call)])
async def test_datasets(call):
    request = await first_request(lambda client: call(client, f"{ODD}/{ODD}"))
    assert request.url.raw_path.decode().startswith(f"/datasets/{ODD_PATH}/{ODD_PATH}/")
