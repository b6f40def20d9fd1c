"""The official SDK, an independent client, works with the sandbox, strict models included."""

from __future__ import annotations

import inspect
import io

import pytest
import requests
from segments import SegmentsClient
from segments.exceptions import AlreadyExistsError, AuthorizationError, CollaboratorError, NotFoundError

DATASET = "sandbox/flowers"
IMAGE = {"image": {"url": "https://example.com/image.png"}}
BITMAP = {
    "format_version": "0.1",
    "annotations": [{"id": 1, "category_id": 1, "attributes": {"torn": True}}],
    "segmentation_bitmap": {"url": "https://example.com/label.png"},
}
BOX = {
    "format_version": "0.1",
    "annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 10], [92, 31]]}],
}

ANCHORS = [
    {"type": "basic", "sensor": "front", "frame": 3},
    {"type": "track", "trackNumber": 7, "trackAttribute": "colour"},
    {"type": "sceneAttribute", "sceneAttribute": "weather"},
    {"type": "location", "location": {"type": "2d", "x": 1, "y": 2.5}},
    {"type": "location", "location": {"type": "3d", "x": 1, "y": 2.5, "z": -1}},
]


@pytest.fixture
def client(sandbox):
    with SegmentsClient(sandbox.api_key, api_url=f"{sandbox.url}/") as client:
        yield client


@pytest.fixture
def flowers(client):
    return client.add_dataset("flowers", description="Some flowers.", task_type="vector")


@pytest.fixture
def rose(client, flowers):
    return client.add_sample(DATASET, "rose.png", IMAGE, metadata={"city": "Ulm"}, priority=2)


def test_user(client):
    assert client.get_user().username == "sandbox"
    assert client.get_user("jane").username == "jane"


def test_datasets(client, flowers):
    assert (flowers.full_name, flowers.task_type) == (DATASET, "vector")
    assert [dataset.name for dataset in client.get_datasets()] == ["flowers"]
    assert [dataset.name for dataset in client.get_datasets("sandbox")] == ["flowers"]
    updated = client.update_dataset(
        DATASET, description="More.", metadata={"a": 1}, enable_confirm_on_commit=True, archived=True
    )
    assert (updated.description, updated.metadata, updated.archived) == ("More.", {"a": 1}, True)
    assert client.get_dataset(DATASET).enable_confirm_on_submit is True
    with pytest.raises(AlreadyExistsError):
        client.add_dataset("flowers")
    client.delete_dataset(DATASET)
    with pytest.raises(NotFoundError):
        client.get_dataset(DATASET)


def test_dataset_of_an_organization(client):
    assert client.add_dataset("flowers", organization="acme").full_name == "acme/flowers"


def test_collaborators(client, flowers):
    assert client.add_dataset_collaborator(DATASET, "jane", "reviewer").user.username == "jane"
    with pytest.raises(CollaboratorError):
        client.add_dataset_collaborator(DATASET, "jane")
    with pytest.raises(CollaboratorError):
        client.add_dataset_collaborator(DATASET, "nobody")
    assert client.update_dataset_collaborator(DATASET, "jane", "admin").role == "admin"
    assert client.get_dataset_collaborator(DATASET, "jane").role == "admin"
    client.delete_dataset_collaborator(DATASET, "jane")
    with pytest.raises(NotFoundError):
        client.get_dataset_collaborator(DATASET, "jane")


def test_samples(client, rose):
    assert client.get_sample(rose.uuid) == rose
    assert [sample.uuid for sample in client.get_samples(DATASET, metadata="city:Ulm")] == [rose.uuid]
    with pytest.raises(AlreadyExistsError):
        client.add_sample(DATASET, "rose.png", IMAGE)
    updated = client.update_sample(rose.uuid, priority=7, assigned_labeler="jane", readme="A rose.")
    assert (updated.priority, updated.assigned_labeler, updated.readme) == (7, "jane", "A rose.")
    assert client.update_sample(rose.uuid, assigned_labeler=None).assigned_labeler is None
    client.delete_sample(rose.uuid)
    with pytest.raises(NotFoundError):
        client.get_sample(rose.uuid)
    with pytest.raises(NotFoundError):
        client.get_samples(DATASET, page=2)


def test_samples_in_bulk(client, flowers):
    def items():
        return [{"name": f"{number:03}", "attributes": dict(IMAGE)} for number in range(50)]

    first = client.add_samples(DATASET, items())
    again = client.add_samples(DATASET, items(), enable_compression=False)
    assert [sample.name for sample in first] == [item["name"] for item in items()]
    assert again == first
    listed = [client.get_samples(DATASET, per_page=20, page=page) for page in (1, 2, 3)]
    assert [len(page) for page in listed] == [20, 20, 10]
    assert client.get_dataset(DATASET).samples_count == 50
    uuids = [sample.uuid for sample in first[:30]]
    assert client.delete_samples(DATASET, [*uuids, "no-such-uuid"]).deleted_count == 30
    assert len(client.get_samples(DATASET)) == 20


@pytest.mark.parametrize("attributes", [BITMAP, BOX], ids=["segmentation", "vector"])
def test_labels(client, rose, attributes):
    put = client.add_label(rose.uuid, "ground-truth", attributes, label_status="LABELED", score=0.5)
    assert put.attributes.model_dump(mode="json", exclude_unset=True) == attributes
    assert client.get_label(rose.uuid) == put
    updated = client.update_label(rose.uuid, "ground-truth", score=0.75)
    assert (updated.score, updated.label_status) == (0.75, "LABELED")
    [listed] = client.get_samples(DATASET, labelset="ground-truth", label_status=["LABELED", "REVIEWED"])
    assert (listed.label.label_status, listed.label.score) == ("LABELED", 0.75)
    [full] = client.get_samples(DATASET, labelset="ground-truth", include_full_label=True)
    assert full.label.model_dump() == updated.model_dump()
    single = client.get_sample(rose.uuid, labelset="ground-truth")
    assert single.label.model_dump() == updated.model_dump()
    assert client.get_dataset(DATASET).label_stats.LABELED == 1
    client.delete_label(rose.uuid, "ground-truth")
    with pytest.raises(NotFoundError):
        client.get_label(rose.uuid)


def test_labelsets(client, flowers):
    assert client.add_labelset(DATASET, "model", "My model.").description == "My model."
    with pytest.raises(AlreadyExistsError):
        client.add_labelset(DATASET, "model")
    assert [labelset.name for labelset in client.get_labelsets(DATASET)] == ["ground-truth", "model"]
    assert client.get_labelset(DATASET, "ground-truth").is_groundtruth is True
    client.delete_labelset(DATASET, "model")
    with pytest.raises(NotFoundError):
        client.get_labelset(DATASET, "model")


def test_releases(client, rose):
    client.add_label(rose.uuid, "ground-truth", BOX)
    assert client.add_release(DATASET, "v1", "The first.").status == "PENDING"
    with pytest.raises(AlreadyExistsError):
        client.add_release(DATASET, "v1")
    release = client.get_release(DATASET, "v1")
    assert (release.status, release.samples_count) == ("SUCCEEDED", 1)
    [sample] = requests.get(release.attributes.url, timeout=5).json()["dataset"]["samples"]
    assert sample["labels"]["ground-truth"]["attributes"] == BOX
    assert [release.name for release in client.get_releases(DATASET)] == ["v1"]
    client.delete_release(DATASET, "v1")
    assert client.get_releases(DATASET) == []


def test_assets(client, sandbox):
    asset = client.upload_asset(io.BytesIO(b"png bytes"), "rose.png")
    reply = requests.get(asset.url, timeout=5)
    assert (reply.content, reply.headers["content-type"]) == (b"png bytes", "image/png")
    assert asset.filename == "rose.png"


def test_clone(client, rose):
    client.add_label(rose.uuid, "ground-truth", BOX)
    clone = client.clone_dataset(DATASET)
    assert (clone.full_name, clone.cloned_from) == ("sandbox/flowers-clone", DATASET)
    assert client.get_samples("sandbox/flowers-clone", labelset="ground-truth")[0].label is None
    theirs = client.clone_dataset(DATASET, "x", "bboxes", new_public=True, organization="acme", clone_labels=True)
    assert (theirs.full_name, theirs.task_type, theirs.public) == ("acme/x", "bboxes", True)
    assert theirs.label_stats.PRELABELED == 1
    with pytest.raises(AlreadyExistsError):
        client.clone_dataset(DATASET)


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda anchor: anchor["type"])
def test_issues(client, sandbox, rose, anchor):
    issue = client.add_issue(rose.uuid, "Torn.", anchor=anchor)
    assert issue.anchor.model_dump(exclude_unset=True) == anchor
    assert (issue.status, issue.sample_name, issue.comments) == ("OPEN", "rose.png", [])
    sandbox.add_comment(issue.uuid, "So it is.")
    changed = client.update_issue(issue.uuid, "Torn, a bit.", "CLOSED", {"type": "basic"})
    assert (changed.description, changed.status, changed.anchor.type) == ("Torn, a bit.", "CLOSED", "basic")
    assert [comment.text for comment in changed.comments] == ["So it is."]
    assert client.get_issues(DATASET) == [changed]
    assert client.get_sample(rose.uuid).issues[0].uuid == issue.uuid
    client.delete_issue(issue.uuid)
    assert client.get_issues(DATASET) == []


def test_workunits(client, sandbox, rose):
    sandbox.add_workunit(rose.uuid, time=7, session_time_metrics={"zoom": 1})
    [plain] = client.get_workunits(DATASET, start="2020-01-01T00:00:00")
    [full] = client.get_workunits(DATASET, include_session_time_metrics=True, direction="asc")
    assert (plain.time, plain.session_time_metrics, full.session_time_metrics) == (7, None, {"zoom": 1})
    assert client.get_workunits(DATASET, end="2020-01-01T00:00:00") == []


def test_permissions(sandbox, client, rose):
    """A private dataset of others is not found; in a public one, a change is refused."""
    with SegmentsClient(sandbox.other_api_key, api_url=f"{sandbox.url}/") as other:
        with pytest.raises(NotFoundError):
            other.get_dataset(DATASET)
        client.update_dataset(DATASET, public=True)
        assert other.get_dataset(DATASET).role is None
        with pytest.raises(AuthorizationError):
            other.update_dataset(DATASET, description="Mine.")
        with pytest.raises(AuthorizationError):
            other.add_dataset("x", organization="acme")


def test_every_public_call_is_made_here():
    """A call that the SDK gains needs a test."""
    calls = {name for name in vars(SegmentsClient) if not name.startswith("_")} - {"close"}
    source = inspect.getsource(inspect.getmodule(test_clone))
    assert [name for name in sorted(calls) if f"client.{name}(" not in source] == []
