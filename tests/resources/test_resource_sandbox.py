"""Resources against the service in memory, where one answer follows from another."""

from __future__ import annotations

import json

import pytest

from segments_async import (
    AlreadyExistsError,
    AsyncSegments,
    CollaboratorError,
    ImageSegmentationLabelAttributes,
    ImageVectorLabelAttributes,
    InputError,
    NotFoundError,
    OutcomeUnknownError,
    PointcloudCuboidLabelAttributes,
    ReleaseFailedError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    ValidationError,
)

pytestmark = pytest.mark.anyio

IMAGE = {"image": {"url": "https://example.com/a.png"}}

CREATE = {
    "dataset": lambda c: c.datasets.create("new", description="x"),
    "release": lambda c: c.releases.create("sandbox/flowers", "new", description="x"),
    "sample": lambda c: c.samples.create("sandbox/flowers", "new", IMAGE, metadata={"a": 1}),
    "collaborator": lambda c: c.datasets.add_collaborator("sandbox/flowers", "bert"),
}
ROUTES = {
    "dataset": "/user/datasets/",
    "release": "/releases/",
    "sample": "/samples/",
    "collaborator": "*/collaborators/",
}

SEGMENTATION = {
    "segmentation_bitmap": {"url": "https://example.com/bitmap.png"},
    "annotations": [{"id": 1, "category_id": 1, "novel": {"a": None}}],
    "novel": [None],
}
VECTOR = {
    "annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]], "novel": None}],
    "links": [{"from_id": 1, "to_id": 1, "attributes": {}}],
    "novel": 0,
}
CUBOID = {
    "annotations": [
        {
            "id": 1,
            "category_id": 1,
            "type": "cuboid",
            "position": {"x": 0.5, "y": 0, "z": 0},
            "dimensions": {"x": 1, "y": 2, "z": 3},
            "yaw": 1.5,
        }
    ]
}


class TestDatasets:
    """Datasets and who works on them."""

    async def test_exist_ok(self, client, sandbox):
        first = await client.datasets.create("flowers", description="mine")
        again = await client.datasets.create("flowers", description="other", exist_ok=True)
        assert again == first
        with pytest.raises(AlreadyExistsError):
            await client.datasets.create("flowers")
        theirs = await client.datasets.create("flowers", organization="acme", exist_ok=True)
        assert theirs.identifier == "acme/flowers"
        assert (await client.datasets.create("flowers", organization="acme", exist_ok=True)) == theirs

    async def test_other_refusals_are_not_ok(self, client, sandbox):
        with pytest.raises(NotFoundError):
            await client.datasets.create("flowers", organization="nobody", exist_ok=True)
        with pytest.raises(ValidationError) as caught:
            await client.datasets.create("flowers", task_type="novel", exist_ok=True)
        assert "task_type" in caught.value.fields

    async def test_what_is_not_named_stays(self, client, sandbox):
        await client.datasets.create("flowers", description="mine", public=False)
        changed = await client.datasets.update("sandbox/flowers", public=True)
        assert (changed.public, changed.description) == (True, "mine")

    async def test_collaborators(self, client):
        await client.datasets.create("flowers")
        collaborator = await client.datasets.add_collaborator("sandbox/flowers", "bert", "reviewer")
        assert collaborator.role == "reviewer"
        with pytest.raises(CollaboratorError):
            await client.datasets.add_collaborator("sandbox/flowers", "bert", "reviewer")

    async def test_create_read_update_delete(self, client, sandbox):
        await client.datasets.create("flowers")
        assert [dataset.identifier for dataset in await client.datasets.list()] == ["sandbox/flowers"]
        await client.datasets.delete("sandbox/flowers")
        assert sandbox.datasets() == []
        with pytest.raises(NotFoundError):
            await client.datasets.delete("sandbox/flowers")


class TestCreateOnce:
    """Creations whose answer is lost."""

    @pytest.mark.parametrize("what", CREATE)
    @pytest.mark.parametrize(
        "fault",
        [{"drop": "before"}, {"drop": "after"}, {"status": 504, "handled": True}, {"status": 502}, {"status": 429}],
    )
    async def test_created_once(self, patient, sandbox, what, fault):
        await patient.datasets.create("flowers")
        fault = sandbox.fail("POST", ROUTES[what], **fault)
        created = await CREATE[what](patient)
        assert fault.hits == 1
        assert created is not None
        if what == "sample":
            assert [record["metadata"] for record in sandbox.samples("sandbox/flowers")] == [{"a": 1}]

    @pytest.mark.parametrize("what", ["dataset", "release", "sample"])
    async def test_name_taken_by_another_client(self, patient, sandbox, what):
        """The existing sample differs from what was sent."""
        await patient.datasets.create("flowers")
        others = {
            "dataset": lambda c: c.datasets.create("new", description="other"),
            "release": lambda c: c.releases.create("sandbox/flowers", "new", description="other"),
            "sample": lambda c: c.samples.create("sandbox/flowers", "new", IMAGE, metadata={"a": 2}),
        }
        await others[what](patient)
        sandbox.fail("POST", ROUTES[what], drop="before")
        with pytest.raises(AlreadyExistsError, match="something different with this name exists"):
            await CREATE[what](patient)

    @pytest.mark.parametrize("what", CREATE)
    async def test_unknown_where_it_cannot_be_found_out(self, patient, sandbox, what):
        """The answer was lost, and the service does not say what became of it: never "nothing was sent"."""
        await patient.datasets.create("flowers")
        sandbox.fail("POST", ROUTES[what], drop="after")
        sandbox.fail("*", "*", status=500, times=None)
        with pytest.raises(OutcomeUnknownError, match="it may have been carried out") as caught:
            await CREATE[what](patient)
        assert type(caught.value.__cause__) is ServerError

    @pytest.mark.parametrize("what", CREATE)
    async def test_not_looked_for_without_retries(self, sandbox, what):
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=RetryPolicy(attempts=1)) as client:
            await client.datasets.create("flowers")
            fault = sandbox.fail("POST", ROUTES[what], drop="after")
            calls = len(sandbox.calls)
            with pytest.raises(OutcomeUnknownError):
                await CREATE[what](client)
            assert fault.hits == 1
            assert len(sandbox.calls) == calls + 1


class TestGetChangePut:
    """A label that is read, changed in one place and written back."""

    @pytest.mark.parametrize(
        ("task_type", "attributes", "kind"),
        [
            ("segmentation-bitmap", SEGMENTATION, ImageSegmentationLabelAttributes),
            ("bboxes", VECTOR, ImageVectorLabelAttributes),
            ("pointcloud-cuboid", CUBOID, PointcloudCuboidLabelAttributes),
        ],
    )
    async def test_only_that_changes(self, client, sandbox, task_type, attributes, kind):
        await client.datasets.create("flowers", task_type=task_type)
        sample = await client.samples.create("sandbox/flowers", "a", IMAGE)
        await client.labels.put(sample.uuid, "ground-truth", attributes, label_status="REVIEWED", score=0.5)
        before = sandbox.label(sample.uuid)
        assert before["attributes"] == attributes

        label = await client.labels.get(sample.uuid)
        assert type(label.attributes) is kind
        label.attributes.annotations[0].category_id = 7
        await client.labels.put(
            sample.uuid, "ground-truth", label.attributes, label_status=label.label_status, score=label.score
        )

        after = sandbox.label(sample.uuid)
        expected = {**before, "updated_at": after["updated_at"]}
        expected["attributes"]["annotations"][0]["category_id"] = 7
        assert after == expected


class TestSamples:
    """Samples one by one."""

    async def test_create_read_update_delete(self, client, sandbox):
        await client.datasets.create("flowers")
        sample = await client.samples.create("sandbox/flowers", "a", IMAGE, assigned_labeler="jane", priority=3)
        changed = await client.samples.update(sample.uuid, assigned_labeler=None)
        assert (changed.assigned_labeler, changed.priority) == (None, 3)
        assert await client.samples.get(sample.uuid) == changed
        await client.samples.delete(sample.uuid)
        with pytest.raises(NotFoundError):
            await client.samples.get(sample.uuid)

    async def test_name_taken(self, client):
        await client.datasets.create("flowers")
        await client.samples.create("sandbox/flowers", "a", IMAGE)
        with pytest.raises(AlreadyExistsError):
            await client.samples.create("sandbox/flowers", "a", IMAGE)

    async def test_filters(self, client):
        await client.datasets.create("flowers")
        for number in range(4):
            await client.samples.create(
                "sandbox/flowers", f"{number}", IMAGE, metadata={"even": number % 2 == 0, "n": number}, priority=-number
            )
        names = [s.name for s in await client.samples.list("sandbox/flowers", metadata={"even": True})]
        assert names == ["0", "2"]
        names = [s.name for s in await client.samples.list("sandbox/flowers", metadata={"even": True, "n": 2})]
        assert names == ["2"]
        ordered = client.samples.list("sandbox/flowers", sort="priority", direction="asc", per_page=3)
        assert [s.name async for s in ordered] == ["3", "2", "1", "0"]

    async def test_labels_in_lists(self, client):
        await client.datasets.create("flowers", task_type="bboxes")
        sample = await client.samples.create("sandbox/flowers", "a", IMAGE)
        await client.labels.put(sample.uuid, "ground-truth", {"annotations": []})
        [summary] = await client.samples.list("sandbox/flowers", labelset="ground-truth")
        [full] = await client.samples.list("sandbox/flowers", labelset="ground-truth", include_full_label=True)
        assert summary.label.label_status == full.label.label_status == "PRELABELED"
        assert not hasattr(summary.label, "attributes")
        assert full.label.attributes is not None


class TestReleases:
    """Releases: made, waited for, downloaded."""

    async def test_wait(self, patient, sandbox, clock):
        await patient.datasets.create("flowers")
        sandbox.fail("GET", "/releases/v1/", status=200, json={"name": "v1", "status": "PENDING"}, times=3)
        await patient.releases.create("sandbox/flowers", "v1")
        release = await patient.releases.wait("sandbox/flowers", "v1", poll=5)
        assert release.status == "SUCCEEDED"
        assert clock.slept == [5, 5, 5]

    async def test_wait_times_out(self, patient, sandbox, clock):
        """At the very end it looks once more."""
        await patient.datasets.create("flowers")
        sandbox.release_seconds = 3600
        await patient.releases.create("sandbox/flowers", "v1")
        with pytest.raises(RequestTimeoutError, match=r"release 'v1' of sandbox/flowers was still PENDING after 12 s"):
            await patient.releases.wait("sandbox/flowers", "v1", timeout=12, poll=5)
        assert clock.slept == [5, 5, 2]

    async def test_failed(self, client, sandbox, tmp_path):
        await client.datasets.create("flowers")
        sandbox.fail_releases = True
        await client.releases.create("sandbox/flowers", "v1")
        with pytest.raises(ReleaseFailedError, match="'v1' of sandbox/flowers failed"):
            await client.releases.wait("sandbox/flowers", "v1")
        with pytest.raises(ReleaseFailedError):
            await client.releases.download("sandbox/flowers", "v1", tmp_path / "v1.json")

    async def test_download(self, client, sandbox, tmp_path):
        await client.datasets.create("flowers")
        await client.samples.create("sandbox/flowers", "a", IMAGE)
        await client.releases.create("sandbox/flowers", "v1")
        await client.releases.wait("sandbox/flowers", "v1")
        path = await client.releases.download("sandbox/flowers", "v1", str(tmp_path / "v1.json"))
        assert [sample["name"] for sample in json.loads(path.read_bytes())["dataset"]["samples"]] == ["a"]
        assert [file.name for file in tmp_path.iterdir()] == ["v1.json"]

    async def test_download_too_early(self, client, sandbox, tmp_path):
        await client.datasets.create("flowers")
        sandbox.release_seconds = 3600
        await client.releases.create("sandbox/flowers", "v1")
        with pytest.raises(InputError, match=r"name: release 'v1' is PENDING; wait for it with releases.wait"):
            await client.releases.download("sandbox/flowers", "v1", tmp_path / "v1.json")

    async def test_download_where_nothing_can_be_written(self, client, sandbox, tmp_path):
        """Seen before anything is asked for."""
        with pytest.raises(InputError, match="path: is a folder"):
            await client.releases.download("sandbox/flowers", "v1", tmp_path)
        with pytest.raises(InputError, match="path: cannot be written in"):
            await client.releases.download("sandbox/flowers", "v1", tmp_path / "no" / "v1.json")
        assert sandbox.calls == ()

    async def test_create_read_update_delete(self, client):
        await client.datasets.create("flowers")
        await client.releases.create("sandbox/flowers", "v1", description="First.")
        assert [release.description for release in await client.releases.list("sandbox/flowers")] == ["First."]
        with pytest.raises(AlreadyExistsError):
            await client.releases.create("sandbox/flowers", "v1")
        await client.releases.delete("sandbox/flowers", "v1")
        assert await client.releases.list("sandbox/flowers") == []
