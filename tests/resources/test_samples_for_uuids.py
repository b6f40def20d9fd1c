"""Wherever a method takes the uuid of a sample, it takes the sample too."""

import inspect

import httpx
import pytest

from segments_async import AsyncSegments, InputError, Label, ReleaseSample, Sample
from segments_async.images import encode_bitmap

pytestmark = pytest.mark.anyio

BITMAP = {"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": {"url": "https://x/bitmap.png"}}
ANSWER = {"uuid": "u-1", "name": "n", "description": "d", "status": "OPEN", "label_status": "LABELED"}
CALLS = {
    "samples.get": {},
    "samples.update": {"priority": 1},
    "samples.delete": {},
    "labels.get": {},
    "labels.put": {"labelset": "a", "attributes": BITMAP},
    "labels.update": {"labelset": "a", "score": 1},
    "labels.delete": {},
    "labels.put_bitmap": {"labelset": "a", "array": [[1]], "annotations": BITMAP["annotations"]},
    "labels.get_bitmap": {},
    "issues.create": {"description": "d"},
}
"""The methods, and what else they need."""
ISSUES_BY_UUID = {"issues.update", "issues.delete"}
SAMPLE_PARAMETERS = {"uuid", "sample", "sample_uuid"}


def methods_with_a_sample():
    """The methods of the client whose first parameter names a sample."""
    client = AsyncSegments("key")
    for name in dir(client):
        resource = None if name.startswith("_") else getattr(client, name)
        for method_name, method in inspect.getmembers(resource, inspect.iscoroutinefunction):
            first = next(iter(inspect.signature(method).parameters), None)
            if not method_name.startswith("_") and first in SAMPLE_PARAMETERS:
                yield f"{name}.{method_name}"


def test_every_method_is_here():
    """The table above has all of them."""
    assert set(methods_with_a_sample()) - ISSUES_BY_UUID == set(CALLS)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("sample", [Sample(uuid="u-1", name="n"), ReleaseSample(uuid="u-1", name="n"), "u-1"])
async def test_a_sample_for_its_uuid(call, sample, anyio_backend):
    paths = []

    def answer(request):
        if request.url.path.endswith(".png"):
            return httpx.Response(200, content=encode_bitmap([[1]]))
        if request.url.path == "/assets/":
            upload = {"url": "https://x/storage", "fields": {}}
            return httpx.Response(201, json={"url": "https://x/bitmap.png", "presignedPostFields": upload})
        if request.url.path == "/storage":
            return httpx.Response(204)
        paths.append(request.url.path)
        return httpx.Response(200, json={**ANSWER, "label_type": "segmentation-bitmap", "attributes": BITMAP})

    async with AsyncSegments("key", base_url="https://x", transport=httpx.MockTransport(answer)) as client:
        resource, method = call.split(".")
        arguments = dict(CALLS[call])
        rest = [arguments.pop("labelset")] if "labelset" in arguments else []
        await getattr(getattr(client, resource), method)(sample, *rest, **arguments)
    assert [path.split("/")[2] for path in paths] == ["u-1"]


async def test_what_is_no_sample(anyio_backend):
    async with AsyncSegments("key", base_url="https://x") as client:
        with pytest.raises(InputError, match="expected a string, got Label"):
            await client.samples.get(Label(sample_uuid="u"))  # type: ignore[arg-type]
        with pytest.raises(InputError, match="this ReleaseSample has no uuid"):
            await client.labels.get(ReleaseSample(name="n"))
