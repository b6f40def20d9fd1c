"""
What is sent again, and what comes of it: every endpoint, under every way in which an answer fails to come.

`CALLS` has a row for each endpoint, `EXPECTED` says what each kind of endpoint does under each fault.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from attrs import define, field, frozen

from segments_async import (
    AsyncSegments,
    BulkError,
    DecodeError,
    OutcomeUnknownError,
    SegmentsError,
    ServerError,
    resources,
)
from segments_async._transport import SlotTransport, shared_ssl_context
from segments_async.resources._base import Resource
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

IMAGE = {"image": {"url": "https://example.com/violet.jpg"}}
BOX = {
    "format_version": "0.1",
    "annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}],
}
CONTENT = b"not really a picture"
PAGE = "<html><title>Be right back</title></html>"
READ_SECONDS = 0.5
"""Patience with an answer, where the clock is real."""

_numbers = itertools.count(1)


@define
class World:
    """A client under test, with a dataset of a fresh name whose contents a row's `prepare` adds."""

    sandbox: Sandbox
    client: AsyncSegments
    folder: Path
    name: str = field(factory=lambda: f"flowers-{next(_numbers)}")
    uuid: str = ""
    """The sample ``violet``, if there is one."""
    issue: str = ""
    """The uuid of an issue, if there is one."""
    result: Any = None
    """What the call returned."""

    @property
    def dataset(self) -> str:
        return f"sandbox/{self.name}"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.json"

    # What shows on the server, or beside it.
    def datasets(self) -> list[str]:
        return [dataset["description"] for dataset in self.sandbox.datasets() if dataset["name"] == self.name]

    def clones(self) -> list[str]:
        return [dataset["name"] for dataset in self.sandbox.datasets() if dataset["name"] == f"{self.name}-clone"]

    def labelsets(self) -> dict[str, str]:
        labelsets = dict(self.sandbox._dataset(self.dataset).labelsets)
        return {name: labelset["description"] for name, labelset in labelsets.items() if name != "ground-truth"}

    def issues(self) -> dict[str, str]:
        return {issue["description"]: issue["status"] for issue in self.sandbox.issues(self.dataset)}

    def collaborators(self) -> dict[str, str]:
        collaborators = dict(self.sandbox._dataset(self.dataset).collaborators)
        return {user: collaborator["role"] for user, collaborator in collaborators.items()}

    def samples(self) -> dict[str, int]:
        samples = [(sample["name"], sample["priority"]) for sample in self.sandbox.samples(self.dataset)]
        assert len(dict(samples)) == len(samples)
        return dict(samples)

    def label(self) -> Any:
        label = self.sandbox.label(self.uuid)
        return None if label is None else label["attributes"]

    def releases(self) -> dict[str, str]:
        return {release["name"]: release["description"] for release in self.sandbox.releases(self.dataset)}

    def uploaded(self) -> str:
        url = getattr(self.result, "url", None)
        return "there" if self.sandbox.assets().get(url) == CONTENT else "missing"

    def downloaded(self) -> str:
        return "there" if self.file.exists() else "missing"


# What has to be there before the call.
async def nothing(world: World) -> None:
    pass


async def a_dataset(world: World) -> None:
    await world.client.datasets.create(world.name, task_type="vector", description="old")


async def a_sample(world: World) -> None:
    await a_dataset(world)
    world.uuid = (await world.client.samples.create(world.dataset, "violet", IMAGE)).uuid


async def a_label(world: World) -> None:
    await a_sample(world)
    await world.client.labels.put(world.uuid, "ground-truth", BOX)


async def a_release(world: World) -> None:
    await a_dataset(world)
    await world.client.releases.create(world.dataset, "v1", description="First")
    await world.client.releases.get(world.dataset, "v1")  # which ends its being PENDING


async def a_collaborator(world: World) -> None:
    await a_dataset(world)
    await world.client.datasets.add_collaborator(world.dataset, "jane", "labeler")


async def a_labelset(world: World) -> None:
    await a_dataset(world)
    await world.client.labelsets.create(world.dataset, "model", description="Mine")


async def an_issue(world: World) -> None:
    await a_sample(world)
    world.issue = (await world.client.issues.create(world.uuid, "Torn")).uuid


async def a_workunit(world: World) -> None:
    await a_sample(world)
    world.sandbox.add_workunit(world.uuid)


async def create_two(world: World) -> None:
    items = [{"name": name, "attributes": IMAGE} for name in ("rose", "tulip")]
    (await world.client.samples.create_many(world.dataset, items)).raise_if_failed()


async def whole(run: Awaitable[Any]) -> Any:
    """Make a bulk call whose items all succeed."""
    report = await run
    report.raise_if_failed()
    return report


# How a row's call is repeated.
READ = "read"
WRITE = "write"
DELETE = "delete"
NAMED = "named"
"""A creation that is looked for by GET."""
SAMPLE = "sample"
"""A creation that is looked for by ``samples_bulk``, which makes up for it."""
NEVER = "never"
UPLOAD = "upload"
DOWNLOAD = "download"


@frozen(eq=False)
class Call:
    """An endpoint: how it is called, and what shows on the server whether it was carried out."""

    name: str
    kind: str
    method: str
    path: str
    """Of the request that is struck; ``{dataset}``, ``{uuid}``, ``{issue}`` and ``{name}`` are filled in."""
    prepare: Callable[[World], Awaitable[None]]
    make: Callable[[World], Awaitable[Any]]
    done: Callable[[World], Any]
    """What is on the server, in a word."""
    before: Any = None
    """What `done` gives if the call had no effect; a reading call has none anyway."""
    after: Any = None
    """What `done` gives if it had its effect, once."""
    origin: str = "api"

    def target(self, world: World) -> str:
        return self.path.format(dataset=world.dataset, uuid=world.uuid, issue=world.issue, name=world.name)

    def requests(self, world: World) -> int:
        return sum(
            call.origin == self.origin
            and call.method == self.method
            and fnmatch(call.path.rstrip("/"), self.target(world).rstrip("/"))
            for call in world.sandbox.calls
        )


def reading(name: str, path: str, prepare: Any, make: Any, shown: Any, expected: Callable[[World], Any]) -> Call:
    """A row for a call that changes nothing: what it returns is what counts."""

    def returned(world: World) -> str:
        if world.result is None:
            return "nothing"
        return "all" if shown(world.result) == expected(world) else "something else"

    return Call(name, READ, "GET", path, prepare, make, returned, "nothing", "all")


_D, _S, _L = "/datasets/{dataset}", "/samples/{uuid}/", "/labels/{uuid}/ground-truth/"
# fmt: off
CALLS = [
    # What it is called, its kind, the request that is struck, what has to be there;
    # the call; what shows on the server, before and after.
    reading("datasets.list", "/user/datasets/", a_dataset,
            lambda w: w.client.datasets.list(), lambda datasets: datasets != [], lambda w: True),
    reading("datasets.get", f"{_D}/", a_dataset,
            lambda w: w.client.datasets.get(w.dataset), lambda dataset: dataset.identifier, lambda w: w.dataset),
    Call("datasets.create", NAMED, "POST", "/user/datasets/", nothing,
         lambda w: w.client.datasets.create(w.name, description="Roses"),
         World.datasets, [], ["Roses"]),
    Call("datasets.create in an organization", NAMED, "POST", "/organizations/acme/datasets/", nothing,
         lambda w: w.client.datasets.create(w.name, organization="acme", description="Roses"),
         World.datasets, [], ["Roses"]),
    Call("datasets.update", WRITE, "PATCH", f"{_D}/", a_dataset,
         lambda w: w.client.datasets.update(w.dataset, description="new"),
         World.datasets, ["old"], ["new"]),
    Call("datasets.delete", DELETE, "DELETE", f"{_D}/", a_dataset,
         lambda w: w.client.datasets.delete(w.dataset),
         World.datasets, ["old"], []),
    Call("datasets.add_collaborator", NAMED, "POST", f"{_D}/collaborators/", a_dataset,
         lambda w: w.client.datasets.add_collaborator(w.dataset, "jane", "reviewer"),
         World.collaborators, {}, {"jane": "reviewer"}),
    reading("datasets.get_collaborator", f"{_D}/collaborators/jane", a_collaborator,
            lambda w: w.client.datasets.get_collaborator(w.dataset, "jane"), lambda c: c.role, lambda w: "labeler"),
    Call("datasets.update_collaborator", WRITE, "PATCH", f"{_D}/collaborators/jane", a_collaborator,
         lambda w: w.client.datasets.update_collaborator(w.dataset, "jane", "admin"),
         World.collaborators, {"jane": "labeler"}, {"jane": "admin"}),
    Call("datasets.remove_collaborator", DELETE, "DELETE", f"{_D}/collaborators/jane", a_collaborator,
         lambda w: w.client.datasets.remove_collaborator(w.dataset, "jane"),
         World.collaborators, {"jane": "labeler"}, {}),
    Call("datasets.clone", NEVER, "POST", f"{_D}/clone/", a_dataset,
         lambda w: w.client.datasets.clone(w.dataset, name=f"{w.name}-clone"),
         lambda w: len(w.clones()), 0, 1),
    reading("labelsets.list", f"{_D}/labelsets/", a_labelset,
            lambda w: w.client.labelsets.list(w.dataset), lambda labelsets: labelsets[1].name, lambda w: "model"),
    reading("labelsets.get", f"{_D}/labelsets/model/", a_labelset,
            lambda w: w.client.labelsets.get(w.dataset, "model"), lambda labelset: labelset.name, lambda w: "model"),
    Call("labelsets.create", NAMED, "POST", f"{_D}/labelsets/", a_dataset,
         lambda w: w.client.labelsets.create(w.dataset, "model", description="Mine"),
         World.labelsets, {}, {"model": "Mine"}),
    Call("labelsets.delete", DELETE, "DELETE", f"{_D}/labelsets/model/", a_labelset,
         lambda w: w.client.labelsets.delete(w.dataset, "model"),
         World.labelsets, {"model": "Mine"}, {}),
    reading("issues.list", f"{_D}/issues/", an_issue,
            lambda w: w.client.issues.list(w.dataset), lambda issues: [i.uuid for i in issues], lambda w: [w.issue]),
    Call("issues.create", NEVER, "POST", "/samples/{uuid}/issues/", a_sample,
         lambda w: w.client.issues.create(w.uuid, "Torn"),
         World.issues, {}, {"Torn": "OPEN"}),
    Call("issues.update", WRITE, "PATCH", "/issues/{issue}/", an_issue,
         lambda w: w.client.issues.update(w.issue, status="CLOSED"),
         World.issues, {"Torn": "OPEN"}, {"Torn": "CLOSED"}),
    Call("issues.delete", DELETE, "DELETE", "/issues/{issue}/", an_issue,
         lambda w: w.client.issues.delete(w.issue),
         World.issues, {"Torn": "OPEN"}, {}),
    reading("workunits.list", f"{_D}/workunits/", a_workunit,
            lambda w: w.client.workunits.list(w.dataset), lambda units: [u.sample_uuid for u in units],
            lambda w: [w.uuid]),
    reading("users.me", "/user", nothing,
            lambda w: w.client.users.me(), lambda user: user.username, lambda w: "sandbox"),
    reading("users.get", "/users/jane", nothing,
            lambda w: w.client.users.get("jane"), lambda user: user.username, lambda w: "jane"),
    Call("api_status", READ, "GET", "/api_status/", nothing,
         lambda w: w.client.api_status(), lambda w: None),
    reading("samples.list", f"{_D}/samples/", a_sample,
            lambda w: w.client.samples.list(w.dataset), lambda samples: [s.uuid for s in samples], lambda w: [w.uuid]),
    reading("samples.get", _S, a_sample,
            lambda w: w.client.samples.get(w.uuid), lambda sample: sample.uuid, lambda w: w.uuid),
    Call("samples.create", SAMPLE, "POST", f"{_D}/samples/", a_dataset,
         lambda w: w.client.samples.create(w.dataset, "rose", IMAGE, priority=2),
         World.samples, {}, {"rose": 2}),
    Call("samples.update", WRITE, "PATCH", _S, a_sample,
         lambda w: w.client.samples.update(w.uuid, priority=7),
         World.samples, {"violet": 0}, {"violet": 7}),
    Call("samples.delete", DELETE, "DELETE", _S, a_sample,
         lambda w: w.client.samples.delete(w.uuid),
         World.samples, {"violet": 0}, {}),
    Call("samples.create_many", WRITE, "POST", f"{_D}/samples_bulk/", a_dataset, create_two,
         World.samples, {}, {"rose": 0, "tulip": 0}),
    Call("samples.update_many", WRITE, "PATCH", _S, a_sample,
         lambda w: whole(w.client.samples.update_many([{"uuid": w.uuid, "priority": 7}])),
         World.samples, {"violet": 0}, {"violet": 7}),
    Call("samples.delete_many", WRITE, "DELETE", f"{_D}/samples_bulk/", a_sample,
         lambda w: whole(w.client.samples.delete_many(w.dataset, [w.uuid])),
         World.samples, {"violet": 0}, {}),
    reading("labels.get", _L, a_label,
            lambda w: w.client.labels.get(w.uuid), lambda label: label.sample_uuid, lambda w: w.uuid),
    Call("labels.put", WRITE, "PUT", _L, a_sample,
         lambda w: w.client.labels.put(w.uuid, "ground-truth", BOX),
         World.label, None, BOX),
    Call("labels.delete", DELETE, "DELETE", _L, a_label,
         lambda w: w.client.labels.delete(w.uuid),
         World.label, BOX, None),
    Call("labels.update", WRITE, "PATCH", _L, a_label,
         lambda w: w.client.labels.update(w.uuid, "ground-truth", attributes={}),
         World.label, BOX, {}),
    reading("labels.get_many", _L, a_label,
            lambda w: whole(w.client.labels.get_many([w.uuid])),
            lambda report: report.results[0].value.sample_uuid, lambda w: w.uuid),
    Call("labels.put_many", WRITE, "PUT", _L, a_sample,
         lambda w: whole(w.client.labels.put_many([{"sample_uuid": w.uuid, "attributes": BOX}])),
         World.label, None, BOX),
    Call("labels.update_many", WRITE, "PATCH", _L, a_label,
         lambda w: whole(w.client.labels.update_many([{"sample_uuid": w.uuid, "attributes": {}}])),
         World.label, BOX, {}),
    Call("labels.delete_many", DELETE, "DELETE", _L, a_label,
         lambda w: whole(w.client.labels.delete_many([w.uuid])),
         World.label, BOX, None),
    reading("releases.list", f"{_D}/releases/", a_release,
            lambda w: w.client.releases.list(w.dataset), lambda releases: [r.name for r in releases], lambda w: ["v1"]),
    reading("releases.get", f"{_D}/releases/v1/", a_release,
            lambda w: w.client.releases.get(w.dataset, "v1"), lambda release: release.name, lambda w: "v1"),
    Call("releases.create", NAMED, "POST", f"{_D}/releases/", a_dataset,
         lambda w: w.client.releases.create(w.dataset, "v2", description="Second"),
         World.releases, {}, {"v2": "Second"}),
    Call("releases.delete", DELETE, "DELETE", f"{_D}/releases/v1/", a_release,
         lambda w: w.client.releases.delete(w.dataset, "v1"),
         World.releases, {"v1": "First"}, {}),
    Call("releases.download", DOWNLOAD, "GET", "/releases/*", a_release,
         lambda w: w.client.releases.download(w.dataset, "v1", w.file),
         World.downloaded, "missing", "there", origin="storage"),
    Call("assets.upload", WRITE, "POST", "/assets/", nothing,
         lambda w: w.client.assets.upload(CONTENT, "violet.png"),
         World.uploaded, "missing", "there"),
    Call("assets.upload to storage", UPLOAD, "POST", "/", nothing,
         lambda w: w.client.assets.upload(CONTENT, "violet.png"),
         World.uploaded, "missing", "there", origin="storage"),
    reading("request GET", f"{_D}/labelsets/", a_dataset,
            lambda w: w.client.request("GET", f"/datasets/{w.dataset}/labelsets/"),
            lambda labelsets: labelsets[0]["name"], lambda w: "ground-truth"),
    Call("request POST", NEVER, "POST", f"{_D}/samples/", a_dataset,
         lambda w: w.client.request("POST", f"/datasets/{w.dataset}/samples/", json={"name": "a", "attributes": IMAGE}),
         World.samples, {}, {"a": 0}),
    Call("request PUT", WRITE, "PUT", _L, a_sample,
         lambda w: w.client.request("PUT", f"/labels/{w.uuid}/ground-truth/", json={"attributes": BOX}),
         World.label, None, BOX),
]
# fmt: on
APART = {call for call in CALLS if call.kind == UPLOAD or call.name == "users.me"}
"""What sends a request to the same address as another row; where all rows run at once, these come later."""
COMPOSED = {
    # Made of calls that have rows of their own.
    "labels.put_bitmap",
    "labels.stream_get",
    "labels.stream_put",
    "releases.wait",
    "samples.stream",
    "samples.stream_create",
    "samples.upload_files",
    "samples.uuids",
}


FAULTS: dict[str, list[dict[str, Any]]] = {
    "503 503": [{"times": 2}],
    "reset reset": [{"times": 2, "drop": "before"}],
    "reset 503": [{"drop": "before"}, {}],
    "reset after commit": [{"drop": "after"}],
    "429 date": [
        {
            "status": 429,
            "headers": {"Date": "Sun, 22 Nov 2026 07:00:00 GMT", "Retry-After": "Sun, 22 Nov 2026 07:00:07 GMT"},
        }
    ],
    "truncated": [{"drop": "middle"}],
    "html 200": [{"status": 200, "body": PAGE, "content_type": "text/html"}],
}
TIMEOUT = "timeout after sending"
TIMEOUT_FAULT = {"status": None, "stall": 30.0}


@frozen
class Expected:
    """What a call comes to."""

    requests: int
    """To the endpoint that is struck."""
    error: type[SegmentsError] | None = None
    done: bool = True
    """Whether it took effect on the server, which it does once at most."""


UNKNOWN = Expected(1, OutcomeUnknownError, done=False)
UNKNOWN_BUT_DONE = Expected(1, OutcomeUnknownError)
NOT_JSON = Expected(1, DecodeError, done=False)
ONCE, TWICE, THRICE = Expected(1), Expected(2), Expected(3)
IGNORED = Expected(1, done=False)
"""Any 2xx is success, and nobody reads what it says."""

_KINDS = (READ, WRITE, DELETE, NAMED, SAMPLE, NEVER, UPLOAD, DOWNLOAD)
_FAILED = Expected(1, ServerError, done=False)
EXPECTED: dict[str, dict[str, Expected]] = {
    fault: dict(zip(_KINDS, row, strict=True))
    for fault, row in {
        #                      read      write     delete    named     sample    never             upload    download
        "503 503":            (THRICE,   THRICE,   THRICE,   THRICE,   ONCE,     _FAILED,          THRICE,   THRICE),
        "reset reset":        (THRICE,   THRICE,   THRICE,   THRICE,   ONCE,     UNKNOWN,          THRICE,   THRICE),
        "reset 503":          (THRICE,   THRICE,   THRICE,   THRICE,   ONCE,     UNKNOWN,          THRICE,   THRICE),
        "reset after commit": (TWICE,    TWICE,    TWICE,    ONCE,     ONCE,     UNKNOWN_BUT_DONE, TWICE,    TWICE),
        "429 date":           (TWICE,    TWICE,    TWICE,    TWICE,    TWICE,    TWICE,            TWICE,    TWICE),
        # An answer without a body, as to a DELETE and an upload, cannot be truncated.
        "truncated":          (TWICE,    TWICE,    ONCE,     ONCE,     ONCE,     UNKNOWN_BUT_DONE, ONCE,     TWICE),
        "html 200":           (NOT_JSON, NOT_JSON, NOT_JSON, NOT_JSON, NOT_JSON, NOT_JSON,         IGNORED,  ONCE),
        TIMEOUT:              (TWICE,    TWICE,    TWICE,    ONCE,     ONCE,     UNKNOWN_BUT_DONE, TWICE,    TWICE),
    }.items()
}  # fmt: skip


@pytest.fixture(autouse=True)
def _empty(sandbox: Sandbox) -> None:
    """Keep lists short."""
    sandbox.clear_faults()
    sandbox._state.datasets.clear()


WIRES = pytest.mark.parametrize(
    ("wire", "anyio_backend"),
    [
        pytest.param("slots", "asyncio", id="slots-asyncio"),
        pytest.param("slots", "trio", id="slots-trio"),
        pytest.param("aiohttp", "asyncio", id="aiohttp"),
        pytest.param("httpx", "asyncio", id="httpx"),
    ],
)


@asynccontextmanager
async def connected(sandbox: Sandbox, wire: str, clock: Any, **options: Any) -> AsyncIterator[AsyncSegments]:
    """Open a client over *wire*; at the end nothing is in flight, and no connection of ours stays open."""
    if wire == "aiohttp":
        options["transport"] = "aiohttp"
    async with AsyncExitStack() as stack:
        if wire == "httpx":
            theirs = httpx.AsyncClient(verify=shared_ssl_context())  # its own would take 40 ms
            options["http_client"] = await stack.enter_async_context(theirs)
        client = AsyncSegments(sandbox.api_key, base_url=sandbox.url, clock=clock.settings, **options)
        async with client:
            yield client
            pool = client._session.pool
            stats = client.stats()
            assert (stats.in_flight, stats.waiting) == (0, 0)
            assert (pool.storage_gate.limiter.in_flight, pool.storage_gate.limiter.waiting) == (0, 0)
        if wire == "slots":
            for transport in (pool.api._transport, pool.storage._transport):
                assert isinstance(transport, SlotTransport)
                assert (transport.connections, transport._free.value) == (0, client._session.max_connections)


def strike(call: Call, world: World, fault: dict[str, Any]) -> None:
    world.sandbox.fail(call.method, call.target(world), origin=call.origin, **fault)


async def check(call: Call, world: World, expected: Expected) -> None:
    """Make the call, and compare everything with what is expected."""
    assert call.done(world) == call.before
    error: BaseException | None = None
    try:
        world.result = await call.make(world)
    except BulkError as caught:
        error = caught.__cause__
    except SegmentsError as caught:
        error = caught
    told = f"{call.name}: {error!r}"
    assert type(error) is (expected.error or type(None)), told
    assert call.requests(world) == expected.requests, told
    assert call.done(world) == (call.after if expected.done else call.before), told


def test_every_method_has_a_row(anyio_backend):
    """Each endpoint says whether it may be sent again, and the table shows that it is so."""
    methods = {
        f"{cls.__name__.lower()}.{name}"
        for cls in map(resources.__dict__.get, resources.__all__)
        for name, method in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and name != "upload_traced" and name not in dir(Resource)
    }
    assert methods - COMPOSED == {call.name for call in CALLS if call.name in methods}
    assert methods >= COMPOSED


@WIRES
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_repeating(sandbox, clock, tmp_path, call, fault, wire):
    """Each endpoint does what its kind demands, and leaves the server as it should be."""
    async with connected(sandbox, wire, clock) as client:
        world = World(sandbox, client, tmp_path)
        await call.prepare(world)
        sandbox.clear_calls()
        clock.slept.clear()
        for one in FAULTS[fault]:
            strike(call, world, one)

        await check(call, world, EXPECTED[fault][call.kind])

        if fault == "429 date":
            assert clock.slept == [pytest.approx(7.0, rel=0.05)]
            assert min(clock.slept) >= 7.0


@WIRES
async def test_repeating_after_a_timeout(sandbox, clock, tmp_path, wire):
    """All endpoints at once, for here time is real: the request was carried out, and its answer is too slow."""
    async with connected(sandbox, wire, clock, timeout=httpx.Timeout(30, read=READ_SECONDS)) as client:
        worlds = [World(sandbox, client.with_options(timeout=30), tmp_path) for _ in CALLS]
        for call, world in zip(CALLS, worlds, strict=True):
            await call.prepare(world)
            world.client = client
        for together in (set(CALLS) - APART, APART):
            sandbox.clear_calls()
            async with anyio.create_task_group() as group:
                for call, world in zip(CALLS, worlds, strict=True):
                    if call in together:
                        strike(call, world, TIMEOUT_FAULT)
                        group.start_soon(check, call, world, EXPECTED[TIMEOUT][call.kind])


@pytest.mark.parametrize(
    "created_by",
    [
        "second",
        "first",
    ],
)
async def test_creations_that_are_carried_out_late(sandbox, clock, tmp_path, anyio_backend, created_by):
    """The server takes up the first request only when the client has given it up, looked, and is sending another."""
    creations = [call for call in CALLS if call.kind in {NAMED, SAMPLE}]
    async with connected(sandbox, "slots", clock, timeout=httpx.Timeout(30, read=READ_SECONDS)) as client:
        worlds = [World(sandbox, client, tmp_path) for _ in creations]
        for call, world in zip(creations, worlds, strict=True):
            await call.prepare(world)
        sandbox.clear_calls()
        for call, world in zip(creations, worlds, strict=True):
            strike(call, world, {"status": None, "delay": 1.4 * READ_SECONDS})
            if created_by == "first":
                strike(call, world, {"status": None, "delay": 0.8 * READ_SECONDS})

        async def create(call: Call, world: World) -> None:
            world.result = await call.make(world)
            with anyio.fail_after(10):
                while call.requests(world) < (1 if call.kind == SAMPLE else 2):  # noqa: ASYNC110 (another thread's)
                    await anyio.sleep(0.01)
            assert call.done(world) == call.after, call.name

        async with anyio.create_task_group() as group:
            for call, world in zip(creations, worlds, strict=True):
                group.start_soon(create, call, world)
