"""
The endpoints of `test_repeating`: a row for each, with its preparation and how to see that it was carried out.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox

IMAGE = {"image": {"url": "https://example.com/violet.jpg"}}
BOX = {
    "format_version": "0.1",
    "annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}],
}
CONTENT = b"not really a picture"

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
    """The path of the faulty request; ``{dataset}``, ``{uuid}``, ``{issue}`` and ``{name}`` are filled in."""
    prepare: Callable[[World], Awaitable[None]]
    make: Callable[[World], Awaitable[Any]]
    done: Callable[[World], Any]
    """What is on the server, as one word."""
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
    """A row for a call that changes nothing: its result is compared."""

    def returned(world: World) -> str:
        if world.result is None:
            return "nothing"
        return "all" if shown(world.result) == expected(world) else "something else"

    return Call(name, READ, "GET", path, prepare, make, returned, "nothing", "all")


_D, _S, _L = "/datasets/{dataset}", "/samples/{uuid}/", "/labels/{uuid}/ground-truth/"
# fmt: off
CALLS = [
    # Its name, its kind, the request that gets the fault, what has to exist;
    # the call; what shows on the server, before and after.
    reading("datasets.list", "/user/datasets/", a_dataset,
            lambda w: w.client.datasets.list().first(), lambda dataset: dataset is not None, lambda w: True),
    reading("datasets.list of an owner", "/users/sandbox/datasets/", a_dataset,
            lambda w: w.client.datasets.list("sandbox").first(), lambda dataset: dataset is not None,
            lambda w: True),
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
