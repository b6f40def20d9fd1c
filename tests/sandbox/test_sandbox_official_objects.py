"""The official SDK's objects that make calls themselves: each of their methods works with the sandbox."""

from __future__ import annotations

import inspect

import pytest
from segments import SegmentsClient, resource_api
from segments.exceptions import NotFoundError

DATASET = "sandbox/flowers"
IMAGE = {"image": {"url": "https://example.com/image.png"}}
BOX = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 10], [92, 31]]}]}


@pytest.fixture
def client(sandbox):
    with SegmentsClient(sandbox.api_key, api_url=f"{sandbox.url}/") as client:
        yield client


@pytest.fixture
def dataset(client):
    return client.add_dataset("flowers", task_type="vector")


@pytest.fixture
def sample(dataset):
    return dataset.add_sample("rose.png", IMAGE, metadata={"city": "Ulm"})


def test_dataset(client, dataset, sample):
    assert dataset.update(description="Roses.").description == "Roses."
    assert [found.uuid for found in dataset.get_samples(metadata="city:Ulm")] == [sample.uuid]
    assert dataset.clone("copy", clone_labels=True).cloned_from == DATASET
    assert dataset.delete_samples([sample.uuid]).deleted_count == 1
    dataset.delete()
    with pytest.raises(NotFoundError):
        client.get_dataset(DATASET)


def test_collaborator(dataset):
    assert dataset.add_collaborator("jane", "reviewer").role == "reviewer"
    collaborator = dataset.get_collaborator("jane")
    assert collaborator.update("admin").role == "admin"
    collaborator.delete()
    with pytest.raises(NotFoundError):
        dataset.get_collaborator("jane")


def test_release(dataset):
    dataset.add_release("v1", "First.")
    assert [release.name for release in dataset.get_releases()] == ["v1"]
    dataset.get_release("v1").delete()
    assert dataset.get_releases() == []


def test_labelset(dataset):
    dataset.add_labelset("model", "Mine.")
    assert [labelset.name for labelset in dataset.get_labelsets()] == ["ground-truth", "model"]
    dataset.get_labelset("model").delete()
    assert len(dataset.get_labelsets()) == 1


def test_sample(client, dataset, sample):
    assert sample.update(priority=7).priority == 7
    assert sample.dataset.full_name == DATASET
    sample.delete()
    assert dataset.get_samples() == []


def test_label(client, sample):
    label = sample.add_label("ground-truth", BOX, score=0.5)
    assert sample.get_label() == label
    # By default, these two reset the status.
    assert sample.update_label("ground-truth", score=0.75, label_status="LABELED").score == 0.75
    assert label.update(score=1.0, label_status="REVIEWED").label_status == "REVIEWED"
    label.delete()
    sample.add_label("ground-truth", BOX)
    sample.delete_label("ground-truth")
    with pytest.raises(NotFoundError):
        sample.get_label()


def test_issue(dataset, sample):
    issue = sample.add_issue("Torn.")
    assert [found.uuid for found in dataset.get_issues()] == [issue.uuid]
    assert issue.update(status="CLOSED").status == "CLOSED"
    with pytest.raises(NotFoundError):
        sample.get_issues()  # it asks for a dataset of the sample's uuid, which no server has
    issue.delete()
    assert dataset.get_issues() == []


def test_workunits(sandbox, dataset, sample):
    sandbox.add_workunit(sample.uuid, time=7)
    assert [workunit.time for workunit in dataset.get_workunits()] == [7]


def test_every_method_is_called_here():
    """A method that the SDK gains needs a test."""
    source = inspect.getsource(inspect.getmodule(test_dataset))
    classes = [value for value in vars(resource_api).values() if inspect.isclass(value)]
    methods = {
        f"{cls.__name__}.{name}"
        for cls in classes
        if issubclass(cls, resource_api.HasClient) and cls is not resource_api.HasClient
        for name, method in vars(cls).items()
        if inspect.isfunction(method) and not name.startswith("_") and "model_" not in name
    }
    assert [method for method in sorted(methods) if f".{method.partition('.')[2]}(" not in source] == []
