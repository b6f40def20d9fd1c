"""The sandbox lists what a careful client would not send; this client sends nothing of the kind."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from repeating_calls import CALLS, World

from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

IMAGE = {"image": {"url": "https://example.com/a.png"}}


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_this_client_is_careful(sandbox, clock, tmp_path, call, anyio_backend):
    """Every call, on its own."""
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, clock=clock.settings) as client:
        world = World(sandbox, client, tmp_path)
        await call.prepare(world)
        sandbox.clear_calls()
        await call.make(world)
        assert sandbox.calls
        assert sandbox.strict == ()


async def test_this_client_is_careful_in_bulk(sandbox, client):
    """Many samples and labels, lists in all forms, a release."""
    await client.datasets.create("flowers", task_type="vector")
    items = [{"name": f"{n} #%", "attributes": IMAGE, "metadata": {"n": n}} for n in range(1200)]
    (await client.samples.create_many("sandbox/flowers", items)).raise_if_failed()
    uuids = await client.samples.uuids("sandbox/flowers")
    boxes = [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}]
    puts = [{"sample_uuid": uuid, "attributes": {"annotations": boxes}} for uuid in list(uuids.values())[:200]]
    (await client.labels.put_many(puts)).raise_if_failed()
    listed = client.samples.list(
        "sandbox/flowers",
        labelset="ground-truth",
        label_status="prelabeled",
        metadata={"n": 3},
        include_full_label=True,
    )
    assert len(await listed) <= 1
    async with client.samples.stream("sandbox/flowers") as samples:
        assert len([sample async for sample in samples]) == 1200
    await client.releases.create("sandbox/flowers", "v1")
    await client.releases.wait("sandbox/flowers", "v1", poll=0.01)
    await client.samples.delete_many("sandbox/flowers", uuids.values())
    assert sandbox.strict == ()


CARELESS = [
    ("GET", "/user/", {}, "the path should have no slash at the end"),
    ("GET", "/datasets/sandbox/flowers", {}, "the path needs a slash at the end"),
    ("GET", "/user/datasets/", {"headers": {"User-Agent": ""}}, None),
    ("GET", "/user/datasets/", {"params": {"per_page": 5000}}, "per_page=5000 is more than 1000"),
    ("GET", "/user/datasets/", {"params": {"per_page": "all"}}, "per_page=all is not a number from 1"),
    ("GET", "/user/datasets/", {"params": {"page": "9" * 9999}}, None),
    ("GET", "/user/datasets/", {"params": {"pages": 1}}, "unknown parameter 'pages'; did you mean 'page'?"),
    ("GET", "/user/datasets/?page=1&page=2", {}, "the parameter 'page' is given 2 times"),
    ("GET", "/user/datasets/", {"content": b"{}"}, "a body, which has no effect"),
    ("GET", "{flowers}samples/", {"params": {"sort": "size"}}, "sort=size is unknown"),
    ("GET", "{flowers}samples/", {"params": {"filters": "city"}}, "the condition 'city' has no colon"),
    ("GET", "{flowers}samples/", {"params": {"label_status": "labeled"}}, "'labeled' is not in upper case"),
    ("GET", "{flowers}samples/", {"params": {"label_status": "DONE"}}, "the label status 'DONE' is unknown"),
    ("GET", "{flowers}samples/", {"params": {"include_full_label": 1}}, "has no effect without labelset"),
    ("GET", "{sample}", {"params": {"include_signed_urls": "true"}}, "include_signed_urls=true has no effect"),
    ("POST", "/user/datasets/", {"json": {"name": "b", "task_type": "bbox"}}, "'bbox' is called 'bboxes'"),
    (
        "POST",
        "/user/datasets/",
        {"json": {"name": "b", "tasktype": ""}},
        "unknown key 'tasktype'; did you mean 'task_type'?",
    ),
    ("PATCH", "{flowers}", {"json": {}}, "nothing to write: the body is empty"),
    ("PATCH", "{sample}", {}, "nothing to write: the body is empty"),
    ("PATCH", "{sample}", {"json": {"uuid": "u"}}, "unknown key 'uuid'"),
    ("POST", "{flowers}samples_bulk/", {"json": [{"name": "a", "attributes": IMAGE}] * 2}, "'a' is given 2 times"),
    (
        "POST",
        "{flowers}samples_bulk/",
        {"json": [{"name": "b", "attributes": IMAGE, "metdata": 1}]},
        "did you mean 'metadata'",
    ),
    (
        "PUT",
        "{label}",
        {"json": {"attributes": {"annotations": [{"category_id": 9}]}}},
        "the dataset has no category 9",
    ),
    ("PUT", "{label}", {"json": {"attributes": {"annotations": [{"type": "bbx"}]}}}, "'bbx'; did you mean 'bbox'?"),
    ("PUT", "{label}", {"json": {"attributes": {}, "label_status": "labeled"}}, "'labeled' is not in upper case"),
    (
        "PUT",
        "{label}",
        {"json": {"attributes": {"sensors": [{"attributes": {"frames": [{"annotations": [{"category_id": 9}]}]}}]}}},
        "no category 9",
    ),
    ("DELETE", "{label}", {"json": {"a": 1}}, "a body, which has no effect"),
]


@pytest.fixture
def web(sandbox):
    with httpx.Client(base_url=sandbox.url, headers={"Authorization": f"APIKey {sandbox.api_key}"}) as web:
        yield web


@pytest.fixture
def paths(sandbox, web):
    web.post("/user/datasets/", json={"name": "flowers"})
    sample = web.post("/datasets/sandbox/flowers/samples/", json={"name": "a", "attributes": IMAGE}).json()
    sandbox.clear_calls()
    path = f"/samples/{sample['uuid']}/"
    return {"flowers": "/datasets/sandbox/flowers/", "sample": path, "label": f"/labels/{sample['uuid']}/ground-truth/"}


@pytest.mark.parametrize(("method", "path", "options", "problem"), CARELESS)
def test_careless(sandbox, web, paths, method, path, options, problem):
    """Each is listed, with its request, and the service accepts or refuses it as before."""
    path = path.format(**paths)
    web.request(method, path, **options)
    if problem is not None:
        assert any(problem in str(remark) for remark in sandbox.strict), sandbox.strict
        assert str(sandbox.strict[0]).startswith(f"{method} {path.partition('?')[0]}: ")
    sandbox.clear_calls()
    assert sandbox.strict == ()


def test_no_user_agent(sandbox, web):
    del web.headers["User-Agent"]
    request = web.build_request("GET", "/user")
    web.send(request)
    assert [remark.problem for remark in sandbox.strict] == ["no User-Agent"]


def test_unencoded_path(sandbox, web):
    web.send(httpx.Request("GET", httpx.URL(f"{sandbox.url}/users/").copy_with(raw_path=b"/users/a|b")))
    assert "'|' in the path is not percent-encoded" in str(sandbox.strict)


def test_reads_without_need(sandbox, web):
    """The fourth time, unless something was written; releases may be polled."""
    for _ in range(4):
        web.get("/user")
        web.get("/user/datasets/", params={"page": 1})
        web.post("/user/datasets/", json={"name": "flowers"})
        web.get("/datasets/sandbox/flowers/releases/")
    for _ in range(4):
        web.get("/datasets/sandbox/flowers/releases/")
    assert sandbox.strict == ()
    for _ in range(5):
        web.get("/user")
    assert list(map(str, sandbox.strict)) == ["GET /user: read more than 3 times although nothing was written"]


def test_samples_one_by_one(sandbox, web):
    web.post("/user/datasets/", json={"name": "flowers"})
    for number in range(105):
        web.post("/datasets/sandbox/flowers/samples/", json={"name": f"{number}", "attributes": IMAGE})
    assert [remark.problem for remark in sandbox.strict] == [
        "more than 100 samples one by one; samples_bulk takes many at a time"
    ]


def test_key_sent_to_storage(sandbox, web):
    web.get(f"{sandbox.storage_url}/a")
    assert "the API key must not be sent to the storage" in str(sandbox.strict)


def test_reset(sandbox, web):
    web.get("/user/")
    sandbox.reset()
    assert sandbox.strict == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["attributes", "annotations", "frames", "sensors", "category_id", "type", "name", "label_status"]
            ),
            inner,
        )
    ),
)


@pytest.fixture(scope="module")
def shared():
    with Sandbox() as sandbox, httpx.Client(base_url=sandbox.url) as web:
        web.headers["Authorization"] = f"APIKey {sandbox.api_key}"
        web.post("/user/datasets/", json={"name": "flowers"})
        sample = web.post("/datasets/sandbox/flowers/samples/", json={"name": "a", "attributes": IMAGE}).json()
        yield web, sample["uuid"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON, path=st.sampled_from(["/labels/{}/ground-truth/", "/samples/{}/", "/datasets/sandbox/flowers/"]))
def test_any_body(shared, body, path):
    """The review never fails, whatever is sent."""
    web, uuid = shared
    method = "PUT" if "labels" in path else "PATCH"
    assert web.request(method, path.format(uuid), json=body).status_code < 500
