"""The official SDK and this client, side by side on the same server: every reading call gives equal data."""

from __future__ import annotations

import anyio
import httpx
import pytest
from attrs import frozen
from payloads_of_every_kind import LABELS, SAMPLE_OF, SAMPLES
from pydantic import BaseModel
from segments import SegmentsClient
from test_fields_like_official_models import known_to_both

from segments_async import AsyncSegments, unstructure
from segments_async.sandbox import Sandbox

FLOWERS = "sandbox/flowers"
NOON = 1_600_000_000.25
ANCHORS = [
    {"type": "basic", "sensor": "front", "frame": 3},
    {"type": "track", "trackNumber": 7, "trackAttribute": "colour"},
    {"type": "sceneAttribute", "sceneAttribute": "weather"},
    {"type": "location", "location": {"type": "2d", "x": 1, "y": 2.5}},
    {"type": "location", "location": {"type": "3d", "x": 1, "y": 2.5, "z": -1}},
]


@frozen
class World:
    """A server with something of everything in it, and whom to ask about it."""

    raw: httpx.Client
    theirs: SegmentsClient
    url: str
    key: str
    uuids: dict[str, str]
    """Samples by label type."""

    def ours(self, call):
        """Make a call with our client."""

        async def run():
            async with AsyncSegments(self.key, base_url=self.url) as client:
                return await call(client, self)

        return anyio.run(run)


def fill(sandbox, api):
    """Create some of everything, with unknown keys."""
    uuids = {}
    for tag, attributes in LABELS.items():
        api.post("/user/datasets/", json={"name": tag, "task_type": tag, "odd": {"a": [None]}})
        path = f"/datasets/sandbox/{tag}"
        uuid = api.post(f"{path}/samples/", json={"name": "a", "attributes": SAMPLES[SAMPLE_OF[tag]]}).json()["uuid"]
        api.put(f"/labels/{uuid}/ground-truth/", json={"attributes": attributes, "score": 0.5, "odd": 1})
        uuids[tag] = uuid
    api.post("/organizations/acme/datasets/", json={"name": "cats", "public": True})
    api.post("/user/datasets/", json={"name": "flowers", "task_type": "vector", "metadata": {"n": 1}})
    path = f"/datasets/{FLOWERS}"
    for number in range(5):
        sample = {"name": f"{number}.png", "attributes": SAMPLES["image"], "metadata": {"n": str(number % 2)}}
        uuid = api.post(f"{path}/samples/", json={**sample, "priority": -number, "assigned_labeler": "jane"}).json()[
            "uuid"
        ]
        api.post(f"/samples/{uuid}/issues/", json={"description": f"{number}", "anchor": ANCHORS[number], "odd": 1})
        sandbox.add_workunit(uuid, time=number, session_time_metrics={"zoom": 1.5})
    api.put(f"/labels/{uuid}/ground-truth/", json={"attributes": LABELS["vector"], "label_status": "REVIEWED"})
    sandbox.add_comment(sandbox.issues(FLOWERS)[0]["uuid"], "So it is.")
    api.post(f"{path}/labelsets/", json={"name": "model", "description": "Mine."})
    api.post(f"{path}/collaborators/", json={"user": "jane", "role": "reviewer"})
    api.post(f"{path}/releases/", json={"name": "v1", "description": "First."})
    return {**uuids, "flowers": uuid}


@pytest.fixture(scope="module")
def world():
    with Sandbox(clock=lambda: NOON) as sandbox:
        key = {"Authorization": f"APIKey {sandbox.api_key}"}
        with (
            httpx.Client(base_url=sandbox.url, headers=key, verify=False, trust_env=False) as api,
            SegmentsClient(sandbox.api_key, api_url=f"{sandbox.url}/") as theirs,
        ):
            yield World(api, theirs, sandbox.url, sandbox.api_key, fill(sandbox, api))


D = f"/datasets/{FLOWERS}"
READS = [
    # What is read; how the SDK does, and how we do.
    ("/user", lambda t, w: t.get_user(), lambda c, w: c.users.me()),
    ("/users/jane", lambda t, w: t.get_user("jane"), lambda c, w: c.users.get("jane")),
    ("/users/acme", lambda t, w: t.get_user("acme"), lambda c, w: c.users.get("acme")),
    ("/user/datasets/", lambda t, w: t.get_datasets(), lambda c, w: c.datasets.list()),
    ("/users/acme/datasets/", lambda t, w: t.get_datasets("acme"), lambda c, w: c.datasets.list("acme")),
    (f"{D}/", lambda t, w: t.get_dataset(FLOWERS), lambda c, w: c.datasets.get(FLOWERS)),
    (
        f"{D}/collaborators/jane",
        lambda t, w: t.get_dataset_collaborator(FLOWERS, "jane"),
        lambda c, w: c.datasets.get_collaborator(FLOWERS, "jane"),
    ),
    (f"{D}/samples/", lambda t, w: t.get_samples(FLOWERS), lambda c, w: c.samples.list(FLOWERS)),
    (
        f"{D}/samples/?labelset=ground-truth",
        lambda t, w: t.get_samples(FLOWERS, labelset="ground-truth"),
        lambda c, w: c.samples.list(FLOWERS, labelset="ground-truth"),
    ),
    (
        f"{D}/samples/?labelset=ground-truth&include_full_label=1",
        lambda t, w: t.get_samples(FLOWERS, labelset="ground-truth", include_full_label=True),
        lambda c, w: c.samples.list(FLOWERS, labelset="ground-truth", include_full_label=True),
    ),
    (
        f"{D}/samples/?name__contains=3",
        lambda t, w: t.get_samples(FLOWERS, name="3"),
        lambda c, w: c.samples.list(FLOWERS, name="3"),
    ),
    (
        f"{D}/samples/?filters=n:1&sort=-priority",
        lambda t, w: t.get_samples(FLOWERS, metadata=["n:1"], sort="priority", direction="desc"),
        lambda c, w: c.samples.list(FLOWERS, metadata={"n": "1"}, sort="priority", direction="desc"),
    ),
    (
        f"{D}/samples/?label_status=REVIEWED,LABELED",
        lambda t, w: t.get_samples(FLOWERS, label_status=["REVIEWED", "LABELED"]),
        lambda c, w: c.samples.list(FLOWERS, label_status=["REVIEWED", "LABELED"]),
    ),
    (
        "/samples/{flowers}/?labelset=ground-truth",
        lambda t, w: t.get_sample(w.uuids["flowers"], labelset="ground-truth"),
        lambda c, w: c.samples.get(w.uuids["flowers"], labelset="ground-truth"),
    ),
    (
        "/samples/{flowers}/?include_signed_urls=1",
        lambda t, w: t.get_sample(w.uuids["flowers"], include_signed_url=True),
        lambda c, w: c.samples.get(w.uuids["flowers"], include_signed_urls=True),
    ),
    *[
        (
            f"/samples/{{{tag}}}/",
            lambda t, w, tag=tag: t.get_sample(w.uuids[tag]),
            lambda c, w, tag=tag: c.samples.get(w.uuids[tag]),
        )
        for tag in LABELS
    ],
    *[
        (
            f"/labels/{{{tag}}}/ground-truth/",
            lambda t, w, tag=tag: t.get_label(w.uuids[tag]),
            lambda c, w, tag=tag: c.labels.get(w.uuids[tag]),
        )
        for tag in LABELS
    ],
    (f"{D}/labelsets/", lambda t, w: t.get_labelsets(FLOWERS), lambda c, w: c.labelsets.list(FLOWERS)),
    (
        f"{D}/labelsets/model/",
        lambda t, w: t.get_labelset(FLOWERS, "model"),
        lambda c, w: c.labelsets.get(FLOWERS, "model"),
    ),
    (f"{D}/issues/", lambda t, w: t.get_issues(FLOWERS), lambda c, w: c.issues.list(FLOWERS)),
    (f"{D}/releases/", lambda t, w: t.get_releases(FLOWERS), lambda c, w: c.releases.list(FLOWERS)),
    (f"{D}/releases/v1/", lambda t, w: t.get_release(FLOWERS, "v1"), lambda c, w: c.releases.get(FLOWERS, "v1")),
    (f"{D}/workunits/", lambda t, w: t.get_workunits(FLOWERS), lambda c, w: c.workunits.list(FLOWERS)),
    (
        f"{D}/workunits/?include_session_time_metrics=true&start=2020-09-13T12:26:40&sort=created_at",
        lambda t, w: t.get_workunits(
            FLOWERS, include_session_time_metrics=True, start="2020-09-13T12:26:40", direction="asc"
        ),
        lambda c, w: c.workunits.list(
            FLOWERS, include_session_time_metrics=True, start="2020-09-13T12:26:40", direction="asc"
        ),
    ),
]


def plain(read):
    """What the SDK made of an answer, as JSON."""
    if isinstance(read, list):
        return [plain(item) for item in read]
    assert isinstance(read, BaseModel), "its strict models take every answer"
    return read.model_dump(mode="json", exclude_unset=True)


def without_nulls(value):
    """JSON without the nulls of objects: those of optional fields may go."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("path", "theirs", "ours"), READS, ids=[path for path, _, _ in READS])
def test_equal(world, path, theirs, ours):
    """What both know is equal, and ours has all that the server sent."""
    mine = unstructure(world.ours(ours))
    kept, same = known_to_both(plain(theirs(world.theirs, world)), mine)
    assert kept == same
    assert kept
    reply = world.raw.get(path.format(**world.uuids))
    assert without_nulls(reply.json()) == without_nulls(mine)


def test_every_reading_call_is_here():
    """A call that the SDK gains has to be read by both."""
    reading = {name for name in dir(SegmentsClient) if name.startswith("get_")}
    used = {name for _, theirs, _ in READS for name in theirs.__code__.co_names if name.startswith("get_")}
    assert reading == used


def test_pages(world):
    """The SDK gives a page at a time, and we whatever is asked for."""
    pages = [world.theirs.get_samples(FLOWERS, per_page=2, page=page) for page in (1, 2, 3)]
    names = [sample.name for page in pages for sample in page]

    async def names_by_page(client, _world):
        return [[sample.name for sample in page] async for page in client.samples.list(FLOWERS, per_page=2).pages()]

    assert world.ours(names_by_page) == [names[:2], names[2:4], names[4:]]
