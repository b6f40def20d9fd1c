"""Users, roles, clones, labelsets, issues and work units, against the service in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from segments_async import (
    AlreadyExistsError,
    AuthenticationError,
    AuthorizationError,
    InputError,
    IssueBasicAnchor,
    IssueComment,
    IssueLocation3D,
    IssueLocationAnchor,
    IssueSceneAttributeAnchor,
    IssueStatus,
    IssueTrackAnchor,
    NotFoundError,
    OutcomeUnknownError,
    Role,
    ServerError,
    ValidationError,
)

pytestmark = pytest.mark.anyio

DATASET = "sandbox/flowers"
IMAGE = {"image": {"url": "https://example.com/a.png"}}
ANCHORS = [
    IssueBasicAnchor(sensor="front", frame=2),
    IssueTrackAnchor(track_number=7),
    IssueSceneAttributeAnchor(scene_attribute="weather"),
    IssueLocationAnchor(location=IssueLocation3D(x=1, y=2.5, z=0), frame=0),
]


@pytest.fixture
async def sample(client):
    await client.datasets.create("flowers", task_type="vector", description="Roses.")
    return await client.samples.create(DATASET, "a.png", IMAGE)


@pytest.fixture
def other(client, sandbox):
    """The other user."""
    return client.with_options(api_key=sandbox.other_api_key)


class TestUsers:
    """Users and organisations."""

    async def test_users(self, client, other):
        me = await client.users.me()
        assert (me.username, [o.username for o in me.organizations]) == ("sandbox", ["acme"])
        assert (await other.users.me()).username == "jane"
        acme = await client.users.get("acme")
        assert (acme.is_organization, [m.organization_role for m in acme.members]) == (True, ["admin"])
        with pytest.raises(NotFoundError):
            await client.users.get("nobody")

    async def test_api_status(self, client, sandbox):
        assert await client.api_status() is None
        assert sandbox.calls[-1].path == "/api_status/"
        with pytest.raises(AuthenticationError):
            await client.with_options(api_key="wrong-key").api_status()


class TestRoles:
    """What others may see and change."""

    async def test_private_is_not_there(self, other, sample):
        for call in (other.datasets.get(DATASET), other.samples.get(sample.uuid), other.issues.list(DATASET)):
            with pytest.raises(NotFoundError):
                await call

    async def test_roles(self, client, other, sample):
        await client.datasets.add_collaborator(DATASET, "jane", Role.LABELER)
        await other.labels.put(sample.uuid, "ground-truth", {"annotations": []})
        with pytest.raises(AuthorizationError, match="You do not have permission"):
            await other.datasets.update(DATASET, public=True)
        changed = await client.datasets.update_collaborator(DATASET, "jane", Role.ADMIN)
        assert changed == await client.datasets.get_collaborator(DATASET, "jane")
        assert (changed.role, changed.user.username) == ("admin", "jane")
        assert (await other.datasets.update(DATASET, public=True)).role == "admin"
        await client.datasets.remove_collaborator(DATASET, "jane")
        assert (await other.datasets.get(DATASET)).role is None
        with pytest.raises(NotFoundError):
            await client.datasets.get_collaborator(DATASET, "jane")
        with pytest.raises(NotFoundError):
            await client.datasets.remove_collaborator(DATASET, "jane")

    async def test_unknown_role(self, client, sample):
        await client.datasets.add_collaborator(DATASET, "jane")
        with pytest.raises(ValidationError) as caught:
            await client.datasets.update_collaborator(DATASET, "jane", "king")
        assert caught.value.fields == {"role": ['"king" is not a valid choice.']}

    async def test_organization(self, client, other):
        await client.datasets.create("cats", organization="acme", public=True)
        await client.datasets.create("dogs", organization="acme")
        assert [d.identifier for d in await client.datasets.list("acme")] == ["acme/cats", "acme/dogs"]
        assert [d.identifier for d in await other.datasets.list("acme")] == ["acme/cats"]
        with pytest.raises(AuthorizationError):
            await other.datasets.create("birds", organization="acme")


class TestClone:
    """Copies of datasets."""

    @pytest.mark.parametrize("clone_labels", [False, True])
    async def test_clone(self, client, sandbox, sample, clone_labels):
        await client.labels.put(sample.uuid, "ground-truth", {"annotations": []}, label_status="LABELED")
        clone = await client.datasets.clone(DATASET, clone_labels=clone_labels)
        assert (clone.identifier, clone.cloned_from, clone.description) == ("sandbox/flowers-clone", DATASET, "Roses.")
        [copied] = await client.samples.list(clone, labelset="ground-truth")
        assert (copied.name, copied.label is not None) == ("a.png", clone_labels)
        assert clone.label_stats["LABELED"] == int(clone_labels)

    async def test_name_taken(self, client, sample):
        with pytest.raises(AlreadyExistsError):
            await client.datasets.clone(DATASET, name="flowers")

    async def test_for_an_organization(self, client, sample):
        clone = await client.datasets.clone(DATASET, name="x", task_type="bboxes", public=True, organization="acme")
        assert (clone.identifier, clone.task_type, clone.public) == ("acme/x", "bboxes", True)


class TestLabelsets:
    """Sets of labels."""

    async def test_create_read_update_delete(self, client, sample):
        created = await client.labelsets.create(DATASET, "model 1", description="Mine.")
        assert created == await client.labelsets.get(DATASET, "model 1")
        with pytest.raises(AlreadyExistsError):
            await client.labelsets.create(DATASET, "model 1", description="Mine.")
        assert await client.labelsets.create(DATASET, "model 1", description="Other.", exist_ok=True) == created
        assert [labelset.name for labelset in await client.labelsets.list(DATASET)] == ["ground-truth", "model 1"]
        assert (await client.datasets.get(DATASET)).labelsets[1] == created
        await client.labels.put(sample.uuid, "model 1", {"annotations": []})
        await client.labelsets.delete(DATASET, "model 1")
        with pytest.raises(NotFoundError):
            await client.labels.get(sample.uuid, "model 1")
        with pytest.raises(NotFoundError):
            await client.labelsets.delete(DATASET, "model 1")


class TestIssues:
    """What people note."""

    @pytest.mark.parametrize("anchor", ANCHORS, ids=lambda anchor: anchor.type)
    async def test_anchors(self, client, sample, anchor):
        created = await client.issues.create(sample.uuid, "Torn.", anchor=anchor)
        assert created.anchor == anchor
        [listed] = await client.issues.list(DATASET)
        assert listed == created
        assert (await client.samples.get(sample.uuid)).issues == [created]
        again = await client.issues.update(created.uuid, anchor=listed.anchor)
        assert again.anchor == anchor
        assert (await client.issues.update(created.uuid, anchor=None)).anchor is None

    async def test_what_is_new_stays(self, client, sandbox, sample):
        """A type of anchor that is not known here is data."""
        issue = await client.issues.create(sample.uuid, "Torn.", anchor={"type": "basic", "novel": {"deep": [None]}})
        assert issue.anchor.extra == {"novel": {"deep": [None]}}
        issue.anchor.frame = 3
        await client.issues.update(issue.uuid, anchor=issue.anchor)
        assert sandbox.issues(DATASET)[0]["anchor"] == {"type": "basic", "novel": {"deep": [None]}, "frame": 3}

    async def test_create_read_update_delete(self, client, other, sandbox, sample):
        await client.datasets.update(DATASET, public=True)
        issue = await other.issues.create(sample.uuid, "Torn.")
        assert (issue.status, issue.created_by, issue.sample_name) == ("OPEN", "jane", "a.png")
        sandbox.add_comment(issue.uuid, "So it is.", user="bert")
        ours = await client.issues.create(sample.uuid, "Faded.")
        with pytest.raises(AuthorizationError):
            await other.issues.update(ours.uuid, status=IssueStatus.CLOSED)
        await client.issues.delete(ours.uuid)
        closed = await client.issues.update(issue.uuid, status=IssueStatus.CLOSED)
        assert (closed.status, closed.description, closed.updated_by) == ("CLOSED", "Torn.", "sandbox")
        [comment] = closed.comments
        assert isinstance(comment, IssueComment)
        assert (comment.text, comment.created_by) == ("So it is.", "bert")
        await client.issues.delete(issue.uuid)
        assert await client.issues.list(DATASET) == []
        with pytest.raises(NotFoundError):
            await client.issues.delete(issue.uuid)

    async def test_a_refused_one_is_not_there(self, client, sample):
        with pytest.raises(InputError, match=r"anchor\.location\.y: missing"):
            await client.issues.create(
                sample.uuid, "x", anchor={"type": "location", "location": {"type": "2d", "x": 1}}
            )
        with pytest.raises(ValidationError, match="status"):
            await client.issues.create(sample.uuid, "x", status="DONE")
        assert await client.issues.list(DATASET) == []


NAMELESS = {
    "issue": (lambda c, s: c.issues.create(s.uuid, "Torn."), "*/issues/"),
    "clone": (lambda c, s: c.datasets.clone(DATASET), "*/clone/"),
}


class TestNameless:
    """Creations that nothing could find again are sent once only."""

    @pytest.mark.parametrize("what", NAMELESS)
    @pytest.mark.parametrize("drop", ["before", "after"])
    async def test_lost_answer(self, patient, sandbox, sample, what, drop):
        call, route = NAMELESS[what]
        fault = sandbox.fail("POST", route, drop=drop, times=None)
        with pytest.raises(OutcomeUnknownError, match="it may have been carried out"):
            await call(patient, sample)
        assert fault.hits == 1

    @pytest.mark.parametrize("what", NAMELESS)
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_server_error(self, patient, sandbox, sample, what, status):
        """An error of the gateway does not say whether the call was carried out."""
        call, route = NAMELESS[what]
        fault = sandbox.fail("POST", route, status=status, handled=True, times=None)
        with pytest.raises(ServerError) as caught:
            await call(patient, sample)
        assert fault.hits == 1
        assert "it may have been carried out" in caught.value.__notes__[-1]

    @pytest.mark.parametrize("what", NAMELESS)
    async def test_what_was_surely_not_done_is_sent_again(self, patient, sandbox, sample, what):
        call, route = NAMELESS[what]
        fault = sandbox.fail("POST", route, status=429, times=2)
        await call(patient, sample)
        assert fault.hits == 2


class TestWorkunits:
    """The time that people spend."""

    async def test_workunits(self, client, sandbox, sample):
        for number in range(3):
            sandbox.add_workunit(sample.uuid, time=number, user="jane", session_time_metrics={"zoom": number})
        newest, *_ = units = await client.workunits.list(DATASET, per_page=2)
        assert [unit.time for unit in units] == [2, 1, 0]
        assert (newest.created_by, newest.sample_uuid, newest.session_time_metrics) == ("jane", sample.uuid, None)
        full = await client.workunits.list(DATASET, include_session_time_metrics=True, direction="asc").first()
        assert (full.time, full.session_time_metrics) == (0, {"zoom": 0})

    async def test_times(self, client, sandbox, sample):
        sandbox.add_workunit(sample.uuid)
        [unit] = await client.workunits.list(DATASET)
        assert (unit.time, unit.work_type) == (60_000, "label")  # a minute, in milliseconds
        now, hour = datetime.now(UTC), timedelta(hours=1)
        assert len(await client.workunits.list(DATASET, start=now - hour, end=now + hour)) == 1
        assert await client.workunits.list(DATASET, start=now + hour) == []
        assert await client.workunits.list(DATASET, end=f"{now - hour:%Y-%m-%dT%H:%M:%S}") == []
        with pytest.raises(ValidationError, match="end: Enter a valid date/time"):
            await client.workunits.list(DATASET, end="tomorrow")


async def test_tags(client, sandbox):
    """Datasets and issues have tags, as text; an object in their place does not break reading."""
    await client.datasets.create("tagged", tags=["spring"])
    assert (await client.datasets.get("sandbox/tagged")).tags == ["spring"]
    await client.datasets.update("sandbox/tagged", tags=["autumn", "ours"])
    assert (await client.datasets.get("sandbox/tagged")).tags == ["autumn", "ours"]

    sample = await client.samples.create("sandbox/tagged", "a", {"image": {"url": "https://x/a.png"}})
    issue = await client.issues.create(sample.uuid, "Torn.", tags=["damage"])
    assert issue.tags == ["damage"]
    assert (await client.issues.update(issue.uuid, tags=[{"name": "damage"}])).tags == [{"name": "damage"}]
    with pytest.raises(InputError, match=r"^tags\[0\]: expected a string or an object, got int$"):
        await client.issues.create(sample.uuid, "Torn.", tags=[7])


async def test_new_datasets_are_private(client, sandbox):
    """`public` is sent with every new dataset, as the service's default is not documented."""
    for given, sent in [({}, False), ({"public": None}, False), ({"public": True}, True)]:
        dataset = await client.datasets.create(f"new-{given}", **given)
        assert dataset.public is sent
