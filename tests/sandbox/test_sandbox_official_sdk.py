"""The official SDK, a client that nobody here wrote, is content with the sandbox, strict models included."""

from __future__ import annotations

import io

import pytest
import requests
from segments import SegmentsClient
from segments.exceptions import AlreadyExistsError, CollaboratorError, NotFoundError

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
