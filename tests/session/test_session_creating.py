"""Creations whose answer is lost: what was created is returned, and exists once."""

from __future__ import annotations

import pytest

from segments_async import (
    AlreadyExistsError,
    CollaboratorError,
    OutcomeUnknownError,
    RetryPolicy,
    ServerError,
)

pytestmark = pytest.mark.anyio

IMAGE = {"image": {"url": "https://example.com/rose.jpg"}}
OTHER = {"image": {"url": "https://example.com/other.jpg"}}

LOST = pytest.mark.parametrize(
    "fault",
    [{"drop": "after"}, {"drop": "before"}, {"drop": "middle"}, {"status": 502, "handled": True}, {"status": 500}],
    ids=["after", "before", "middle", "gateway", "error"],
)


@LOST
async def test_sample(world, fault):
    world.sandbox.fail("POST", "/samples/", **fault)

    sample = await world.client.samples.create("sandbox/flowers", "rose", IMAGE, priority=2)

    [rose] = [sample for sample in world.sandbox.samples("sandbox/flowers") if sample["name"] == "rose"]
    assert (sample.uuid, sample.priority) == (rose["uuid"], 2)


@LOST
async def test_dataset(world, fault):
    world.sandbox.fail("POST", "/user/datasets/", **fault)

    dataset = await world.client.datasets.create("trees", description="Oaks")

    assert (dataset.identifier, dataset.description) == ("sandbox/trees", "Oaks")
    assert [row["name"] for row in world.sandbox.datasets()] == ["flowers", "trees"]


async def test_dataset_of_an_organization(world):
    world.sandbox.fail("POST", "/organizations/acme/datasets/", drop="after")

    assert (await world.client.datasets.create("trees", organization="acme")).identifier == "acme/trees"


@LOST
async def test_release(world, fault):
    world.sandbox.fail("POST", "/releases/", **fault)

    release = await world.client.releases.create("sandbox/flowers", "v1", description="First")

    assert (release.name, release.description) == ("v1", "First")
    assert len(world.sandbox.releases("sandbox/flowers")) == 1


@LOST
async def test_collaborator(world, fault):
    world.sandbox.fail("POST", "/collaborators/", **fault)

    added = await world.client.datasets.add_collaborator("sandbox/flowers", "jane", "reviewer")

    assert added.role == "reviewer"


async def test_sample_that_is_another(world):
    """Another client took the name: the existing sample differs from what was sent."""
    await world.client.samples.create("sandbox/flowers", "rose", OTHER)
    world.sandbox.fail("POST", "/samples/", drop="before")

    with pytest.raises(AlreadyExistsError) as caught:
        await world.client.samples.create("sandbox/flowers", "rose", IMAGE)

    assert isinstance(caught.value.__cause__, OutcomeUnknownError)
    assert len(world.sandbox.samples("sandbox/flowers")) == 2


async def test_dataset_that_is_another(world):
    world.sandbox.fail("POST", "/user/datasets/", drop="before")

    with pytest.raises(AlreadyExistsError):
        await world.client.datasets.create("flowers", description="not the same")


async def test_dataset_that_may_be_another(world):
    world.sandbox.fail("POST", "/user/datasets/", drop="before")

    dataset = await world.client.datasets.create("flowers", description="not the same", exist_ok=True)

    assert dataset.description != "not the same"


async def test_release_that_is_another(world):
    await world.client.releases.create("sandbox/flowers", "v1", description="First")
    world.sandbox.fail("POST", "/releases/", drop="before")

    with pytest.raises(AlreadyExistsError):
        await world.client.releases.create("sandbox/flowers", "v1", description="Second")


async def test_release_that_may_be_another(world):
    created = await world.client.releases.create("sandbox/flowers", "v1", description="First")

    for fault in (False, True):
        if fault:
            world.sandbox.fail("POST", "/releases/", drop="before")
        again = await world.client.releases.create("sandbox/flowers", "v1", description="Second", exist_ok=True)
        assert (again.uuid, again.description) == (created.uuid, "First")
    assert len(await world.client.releases.list("sandbox/flowers")) == 1


async def test_collaborator_with_another_role(world):
    await world.client.datasets.add_collaborator("sandbox/flowers", "jane", "reviewer")
    world.sandbox.fail("POST", "/collaborators/", drop="before")

    with pytest.raises(AlreadyExistsError):
        await world.client.datasets.add_collaborator("sandbox/flowers", "jane", "admin")


async def test_refusals_are_not_looked_into(world):
    """Without a lost answer, a taken name is an error, and nothing is looked up."""
    with pytest.raises(AlreadyExistsError):
        await world.client.samples.create("sandbox/flowers", "violet", IMAGE)
    with pytest.raises(AlreadyExistsError):
        await world.client.datasets.create("flowers")
    await world.client.datasets.add_collaborator("sandbox/flowers", "jane")
    with pytest.raises(CollaboratorError):
        await world.client.datasets.add_collaborator("sandbox/flowers", "jane")

    assert [method for method, _ in world.sent] == ["POST"] * 4


async def test_answers_that_stay_lost(world):
    """Three attempts find nothing: the last error is raised, and nothing was created."""
    world.sandbox.fail("POST", "/releases/", times=None, status=500)

    with pytest.raises(ServerError):
        await world.client.releases.create("sandbox/flowers", "v1")

    assert [method for method, _ in world.sent] == ["POST", "GET"] * 3
    assert world.sandbox.releases("sandbox/flowers") == []


async def test_one_attempt(world, open_client):
    """With ``attempts=1``, the result is not looked up either."""
    world.sandbox.fail("POST", "/samples/", drop="after")

    async with open_client(retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(OutcomeUnknownError, match="POST"):
            await client.samples.create("sandbox/flowers", "rose", IMAGE)

    assert [method for method, _ in world.sent] == ["POST"]


async def test_request_cannot_look(world):
    """An undeclared endpoint: sent once, and the error says that the outcome is unknown."""
    world.sandbox.fail("POST", "/samples/", drop="after")

    with pytest.raises(OutcomeUnknownError, match="may have been carried out"):
        await world.client.request(
            "POST", "/datasets/sandbox/flowers/samples/", json={"name": "rose", "attributes": IMAGE}
        )

    assert [method for method, _ in world.sent] == ["POST"]
