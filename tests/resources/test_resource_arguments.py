"""Bad arguments: refused before anything is sent, with the place where they are wrong."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import httpx
import pytest

from segments_async import (
    AsyncSegments,
    Dataset,
    ImageVectorAnnotation,
    ImageVectorLabelAttributes,
    InputError,
    LabelPut,
    PointcloudVectorAnnotation,
    PointcloudVectorLabelAttributes,
    TaskAttributeCategory,
    TaskAttributes,
    TransportError,
)
from segments_async._wire.contents import check_label, check_sample

pytestmark = pytest.mark.anyio
one_backend = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""For checks that fail before anything is awaited: the second event loop would show nothing new."""

IMAGE = {"image": {"url": "https://x/a.png"}}
BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
NAN = float("nan")


@pytest.fixture
async def client(anyio_backend):
    """A client that must not send anything."""

    def answer(request):
        raise AssertionError(f"{request.method} {request.url} was sent")

    async with AsyncSegments("key", base_url="https://x", transport=httpx.MockTransport(answer)) as client:
        yield client


OF_A_DATASET = [
    lambda c, d: c.datasets.get(d),
    lambda c, d: c.datasets.update(d, public=True),
    lambda c, d: c.datasets.delete(d),
    lambda c, d: c.datasets.clone(d),
    lambda c, d: c.datasets.add_collaborator(d, "joe"),
    lambda c, d: c.datasets.get_collaborator(d, "joe"),
    lambda c, d: c.datasets.update_collaborator(d, "joe", "admin"),
    lambda c, d: c.datasets.remove_collaborator(d, "joe"),
    lambda c, d: c.labelsets.list(d),
    lambda c, d: c.labelsets.get(d, "x"),
    lambda c, d: c.labelsets.create(d, "x"),
    lambda c, d: c.labelsets.delete(d, "x"),
    lambda c, d: c.issues.list(d),
    lambda c, d: c.workunits.list(d),
    lambda c, d: c.samples.list(d),
    lambda c, d: c.samples.create(d, "a", IMAGE),
    lambda c, d: c.samples.create_many(d, []),
    lambda c, d: c.samples.upload_files(d, []),
    lambda c, d: c.samples.delete_many(d, []),
    lambda c, d: c.samples.uuids(d),
    lambda c, d: c.releases.list(d),
    lambda c, d: c.releases.get(d, "v1"),
    lambda c, d: c.releases.create(d, "v1"),
    lambda c, d: c.releases.delete(d, "v1"),
    lambda c, d: c.releases.wait(d, "v1"),
    lambda c, d: c.releases.download(d, "v1", "release.json"),
]


@one_backend
@pytest.mark.parametrize("call", OF_A_DATASET)
@pytest.mark.parametrize("dataset", ["flowers", "a/../b", "", " ", "a/b/c", "a/.", "../b", "a/", "/b", " / ", None, 5])
async def test_datasets(client, call, dataset):
    with pytest.raises(InputError) as caught:
        await call(client, dataset)
    assert caught.value.path == "dataset"
    assert "jane/flowers" in str(caught.value) or "or a Dataset" in str(caught.value)


async def test_dataset_without_an_owner(client):
    with pytest.raises(InputError):
        await client.datasets.get(Dataset(name="flowers"))


OF_A_NAME = [
    (lambda c, n: c.datasets.list(n), "owner"),
    (lambda c, n: c.datasets.create(n), "name"),
    (lambda c, n: c.datasets.create("flowers", organization=n), "organization"),
    (lambda c, n: c.datasets.update("a/b", name=n), "name"),
    (lambda c, n: c.datasets.clone("a/b", name=n), "name"),
    (lambda c, n: c.datasets.clone("a/b", organization=n), "organization"),
    (lambda c, n: c.datasets.add_collaborator("a/b", n), "user"),
    (lambda c, n: c.datasets.get_collaborator("a/b", n), "user"),
    (lambda c, n: c.datasets.update_collaborator("a/b", n, "admin"), "user"),
    (lambda c, n: c.datasets.remove_collaborator("a/b", n), "user"),
    (lambda c, n: c.labelsets.get("a/b", n), "name"),
    (lambda c, n: c.labelsets.create("a/b", n), "name"),
    (lambda c, n: c.labelsets.delete("a/b", n), "name"),
    (lambda c, n: c.issues.create(n, "x"), "sample_uuid"),
    (lambda c, n: c.issues.update(n, status="CLOSED"), "uuid"),
    (lambda c, n: c.issues.delete(n), "uuid"),
    (lambda c, n: c.users.get(n), "username"),
    (lambda c, n: c.samples.get(n), "uuid"),
    (lambda c, n: c.samples.update(n, priority=1), "uuid"),
    (lambda c, n: c.samples.delete(n), "uuid"),
    (lambda c, n: c.labels.get(n), "sample_uuid"),
    (lambda c, n: c.labels.get("u", n), "labelset"),
    (lambda c, n: c.labels.put(n, "x", {}), "sample_uuid"),
    (lambda c, n: c.labels.put("u", n, {}), "labelset"),
    (lambda c, n: c.labels.delete(n), "sample_uuid"),
    (lambda c, n: c.labels.delete("u", n), "labelset"),
    (lambda c, n: c.labels.update(n, "x", score=1), "sample_uuid"),
    (lambda c, n: c.labels.update("u", n, score=1), "labelset"),
    (lambda c, n: c.labels.put_many([], labelset=n), "labelset"),
    (lambda c, n: c.labels.get_many([], labelset=n), "labelset"),
    (lambda c, n: c.labels.update_many([], labelset=n), "labelset"),
    (lambda c, n: c.labels.delete_many([], labelset=n), "labelset"),
    (lambda c, n: c.releases.get("a/b", n), "name"),
    (lambda c, n: c.releases.create("a/b", n), "name"),
    (lambda c, n: c.releases.delete("a/b", n), "name"),
    (lambda c, n: c.releases.wait("a/b", n), "name"),
]


@one_backend
@pytest.mark.parametrize(("call", "path"), OF_A_NAME)
@pytest.mark.parametrize("name", ["", " ", "\n", ".", "..", 5, b"x", ["x"], "\ud800"])
async def test_names(client, call, path, name):
    with pytest.raises(InputError) as caught:
        await call(client, name)
    assert caught.value.path == path


@one_backend
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: c.datasets.create("a/b"), "name: expected a name without '/', got 'a/b'"),
        (lambda c: c.datasets.update("a/b", name="a/b"), "name: expected a name without '/', got 'a/b'"),
        (lambda c: c.datasets.update("a/b", name=None), "name: expected a string, got NoneType"),
        (lambda c: c.datasets.create("a", public="yes"), "public: expected true or false, got str"),
        (lambda c: c.datasets.update("a/b", description=7), "description: expected a string, got int"),
        (
            lambda c: c.datasets.create("a", task_attributes={"categories": [{"name": "x", "id": "1"}]}),
            "task_attributes.categories[0].id: expected an integer, got str",
        ),
        (
            lambda c: c.datasets.update("a/b", task_attributes={"categories": {}}),
            "task_attributes.categories: expected a list, got dict",
        ),
        (lambda c: c.datasets.create("a", metadata={"x": NAN}), "metadata.x: NaN is not JSON"),
        (lambda c: c.datasets.add_collaborator("a/b", "joe", ""), "role: expected a name, got ''"),
        (lambda c: c.datasets.add_collaborator("a/b", "joe", None), "role: expected a string, got NoneType"),
        (lambda c: c.datasets.update_collaborator("a/b", "joe", None), "role: expected a string, got NoneType"),
        (lambda c: c.datasets.clone("a/b", name="c/d"), "name: expected a name without '/', got 'c/d'"),
        (lambda c: c.datasets.clone("a/b", public="no"), "public: expected true or false, got str"),
        (lambda c: c.datasets.clone("a/b", task_type=7), "task_type: expected a string, got int"),
        (lambda c: c.datasets.clone("a/b", clone_labels=1), "clone_labels: expected true or false, got int"),
        (lambda c: c.labelsets.create("a/b", "x", description=7), "description: expected a string, got int"),
        (lambda c: c.issues.create("u", 7), "description: expected a string, got int"),
        (lambda c: c.issues.create("u", "x", status=7), "status: expected a string, got int"),
        (
            lambda c: c.issues.create("u", "x", anchor={"type": "track", "trackNumber": "7"}),
            "anchor.trackNumber: expected an integer, got str",
        ),
        (lambda c: c.issues.create("u", "x", anchor={"type": "track"}), "anchor.trackNumber: missing"),
        (lambda c: c.issues.create("u", "x", anchor=[]), "anchor: expected an object, got list"),
        (
            lambda c: c.issues.update("u", anchor={"type": "location", "location": {"type": "3d", "x": 1, "y": 2}}),
            "anchor.location.z: missing",
        ),
        (
            lambda c: c.workunits.list("a/b", start=datetime(2020, 1, 1)),  # noqa: DTZ001
            "start: a time needs a zone, as in datetime.now(UTC)",
        ),
        (lambda c: c.workunits.list("a/b", end=7), "end: expected a datetime or a string, got int"),
        (lambda c: c.workunits.list("a/b", sort=None), "sort: expected a string, got NoneType"),
        (lambda c: c.workunits.list("a/b", direction="up"), "direction: expected 'asc' or 'desc', got 'up'"),
        (lambda c: c.samples.list("a/b", name=7), "name: expected a string, got int"),
        (lambda c: c.samples.list("a/b", labelset=" "), "labelset: expected a name, got ' '"),
        (lambda c: c.samples.create("a/b", "", IMAGE), "name: expected a name, got ''"),
        (lambda c: c.samples.create("a/b", 7, IMAGE), "name: expected a string, got int"),
        (lambda c: c.samples.create("a/b", "x", None), "attributes: expected an object, got null"),
        (lambda c: c.samples.create("a/b", "x", [1]), "attributes: expected an object, got list"),
        (
            lambda c: c.samples.create("a/b", "x", {"image": {"url": 7}}),
            "attributes.image.url: expected a string, got int",
        ),
        (lambda c: c.samples.create("a/b", "x", IMAGE, metadata={"x": NAN}), "metadata.x: NaN is not JSON"),
        (lambda c: c.samples.create("a/b", "x", IMAGE, priority="1"), "priority: expected a number, got str"),
        (
            lambda c: c.samples.create("a/b", "x", IMAGE, metadata={"t": [datetime(2020, 1, 1)]}),  # noqa: DTZ001
            "metadata.t[0]: a time needs a zone, as in datetime.now(UTC)",
        ),
        (lambda c: c.samples.update("u", name=""), "name: expected a name, got ''"),
        (lambda c: c.samples.update("u", priority="1"), "priority: expected a number, got str"),
        (
            lambda c: c.samples.update("u", attributes={"image": {"url": 7}}),
            "attributes.image.url: expected a string, got int",
        ),
        (lambda c: c.samples.update("u", metadata={"x": [1, NAN]}), "metadata.x[1]: NaN is not JSON"),
        (lambda c: c.samples.list("a/b", include_full_label=True), "include_full_label: needs a labelset"),
        (lambda c: c.samples.list("a/b", direction="up"), "direction: expected 'asc' or 'desc', got 'up'"),
        (lambda c: c.samples.list("a/b", per_page=0), "per_page: expected a whole number from 1 to 1000, got 0"),
        (lambda c: c.samples.list("a/b", per_page=1001), "per_page: expected a whole number from 1 to 1000, got 1001"),
        (lambda c: c.samples.list("a/b", lookahead=0), "lookahead: expected a whole number from 1 to 32, got 0"),
        (
            lambda c: c.samples.list("a/b", label_status=[]),
            "label_status: expected at least one value; leave it out to get all",
        ),
        (lambda c: c.samples.list("a/b", label_status=[7]), "label_status: expected text, got 7"),
        (lambda c: c.samples.list("a/b", label_status=""), "label_status: expected text, got ''"),
        (lambda c: c.samples.list("a/b", metadata="city"), "metadata: expected \"key:value\", got 'city'"),
        (lambda c: c.samples.list("a/b", metadata=["a:b", ":c"]), "metadata: expected \"key:value\", got ':c'"),
        (lambda c: c.samples.list("a/b", metadata=[7]), 'metadata: expected "key:value", got 7'),
        (
            lambda c: c.samples.list("a/b", metadata={"city": "a,b"}),
            "metadata: cannot filter by a value with a comma: 'city:a,b'",
        ),
        (
            lambda c: c.samples.list("a/b", metadata={"city": None}),
            "metadata.city: expected text, a number, a bool or a list, got NoneType",
        ),
        (lambda c: c.labels.put("u", "x", None), "attributes: missing"),
        (lambda c: c.labels.put("u", "x", 7), "attributes: expected a list or an object, got int"),
        (
            lambda c: c.labels.put("u", "x", {"annotations": [{**BOX, "points": [[1, None]]}]}),
            "attributes.annotations[0].points[0][1]: expected a number, got null",
        ),
        (
            lambda c: c.labels.put(
                "u",
                "x",
                ImageVectorLabelAttributes(
                    annotations=[ImageVectorAnnotation(id="1", category_id=1, type="bbox", points=[])]
                ),
            ),
            "attributes.annotations[0].id: expected an integer, got str",
        ),
        (
            lambda c: c.labels.put("u", "x", {"annotations": [{**BOX, "points": [[1, NAN]]}]}),
            "attributes.annotations[0].points[0][1]: NaN is not JSON",
        ),
        (lambda c: c.labels.put("u", "x", {}, score="high"), "score: expected a number, got str"),
        (lambda c: c.labels.put("u", "x", {}, score=NAN), "score: NaN is not JSON"),
        (lambda c: c.labels.put("u", "x", {}, label_status=7), "label_status: expected a string, got int"),
        (lambda c: c.labels.update("u", "x", label_status=7), "label_status: expected a string, got int"),
        (lambda c: c.labels.update("u", "x", score=NAN), "score: NaN is not JSON"),
        (lambda c: c.labels.update("u", "x", attributes=7), "attributes: expected a list or an object, got int"),
        (lambda c: c.releases.wait("a/b", "v", timeout=0), "timeout: expected seconds above 0, got 0"),
        (lambda c: c.releases.wait("a/b", "v", poll=NAN), "poll: expected seconds above 0, got nan"),
        (lambda c: c.assets.upload(b""), "file: needs a filename; its extension determines the content type"),
        (lambda c: c.assets.upload(b"", "a.png"), "file: is empty: a.png"),
    ],
)
async def test_places(client, call, words):
    with pytest.raises(InputError) as caught:
        await call(client)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda c: c.datasets.create("a", descripton="x"),
            "create() got an unexpected keyword argument 'descripton'; did you mean 'description'?",
        ),
        (
            lambda c: c.datasets.update("a/b", enable_rating=True),
            "update() got an unexpected keyword argument 'enable_rating'; did you mean 'enable_ratings'?",
        ),
        (
            lambda c: c.issues.update("u", state="CLOSED"),
            "update() got an unexpected keyword argument 'state'; did you mean 'status'?",
        ),
        (
            lambda c: c.samples.create("a/b", "x", IMAGE, meta_data={}),
            "create() got an unexpected keyword argument 'meta_data'; did you mean 'metadata'?",
        ),
        (
            lambda c: c.samples.update("u", labeler="x"),
            "update() got an unexpected keyword argument 'labeler'; did you mean 'assigned_labeler'?",
        ),
        (
            lambda c: c.labels.update("u", "x", status="LABELED"),
            "update() got an unexpected keyword argument 'status'; did you mean 'label_status'?",
        ),
        (
            lambda c: c.samples.create_many("a/b", [], max_failure=1),
            "create_many() got an unexpected keyword argument 'max_failure'; did you mean 'max_failures'?",
        ),
        (
            lambda c: c.labels.put_many([], lables=1),
            "put_many() got an unexpected keyword argument 'lables'; did you mean 'labels'?",
        ),
        (
            lambda c: c.labels.get_many([], labelst="a"),
            "get_many() got an unexpected keyword argument 'labelst'; did you mean 'labelset'?",
        ),
        (
            lambda c: c.datasets.create("a", exist_okay=True),
            "create() got an unexpected keyword argument 'exist_okay'; did you mean 'exist_ok'?",
        ),
        (
            lambda c: c.samples.upload_files("a/b", [], metadata={}),
            (
                "upload_files() got an unexpected keyword argument 'metadata'; it belongs to each item, as in "
                "FileSample(..., metadata=...)"
            ),
        ),
        (
            lambda c: c.labels.put_many([], score=1),
            (
                "put_many() got an unexpected keyword argument 'score'; it belongs to each item, as in "
                "LabelPut(..., score=...)"
            ),
        ),
    ],
)
async def test_unknown_keywords(client, call, words):
    """A misspelt setting is not ignored."""
    with pytest.raises(TypeError) as caught:
        await call(client)
    assert str(caught.value) == words


async def test_uuid_objects_are_uuids():
    """What the service calls a uuid may be one."""
    uuid = UUID("602a3eec-a61c-4a77-9fcc-3037ce5e9606")
    paths = []

    def answer(request):
        paths.append(request.url.path)
        return httpx.Response(200, json={"uuid": str(uuid), "name": "a", "attributes": {}})

    async with AsyncSegments("key", base_url="https://x", transport=httpx.MockTransport(answer)) as client:
        await client.samples.get(uuid)
        await client.labels.get(uuid)
        await client.labels.put_many([LabelPut(uuid, {})])

    assert paths == [f"/samples/{uuid}/", *[f"/labels/{uuid}/ground-truth/"] * 2]


BOXES = {"annotations": [BOX]}
MISTYPED = [
    ({"annotation": []}, "attributes.annotation: unknown key; did you mean 'annotations'?"),
    ({"annotations": [], "link": []}, "attributes.link: unknown key; did you mean 'links'?"),
    ({"frame": [BOXES]}, "attributes.frame: unknown key; did you mean 'frames'?"),
    (
        {"annotations": [BOX, {**BOX, "atributes": {}}]},
        "attributes.annotations[1].atributes: unknown key; did you mean 'attributes'?",
    ),
    (
        {"frames": [BOXES, {"annotations": [{**BOX, "type": "bbx"}]}]},
        "attributes.frames[1].annotations[0].type: unknown type 'bbx'; did you mean 'bbox'?",
    ),
    (
        {
            "sensors": [
                {"name": "L", "task_type": "vector", "attributes": {"annotations": [{**BOX, "type": "Polygon"}]}}
            ]
        },
        "attributes.sensors[0].attributes.annotations[0].type: unknown type 'Polygon'; did you mean 'polygon'?",
    ),
    (
        {"annotations": [{**BOX, "points": [[1, 2], [3, 4], [5, 6]]}]},
        "attributes.annotations[0].points: a bbox has two corners, got 3",
    ),
    (
        {"annotations": [{**BOX, "points": [[1, 2, 3], [3, 4, 5]]}]},
        "attributes.annotations[0].points[0]: expected x and y, got 3 numbers",
    ),
    (
        {"annotations": [{**BOX, "type": "polygon", "points": [[1, 2], [3, 4], [5, 6, 7]]}]},
        "attributes.annotations[0].points[2]: expected x and y, got 3 numbers",
    ),
    (
        {"annotations": [{**BOX, "type": "polyline", "points": [[1, 2, 3], [3, 4]]}]},
        "attributes.annotations[0].points[1]: expected x, y and z, got 2 numbers",
    ),
    (
        {"annotations": [{**BOX, "type": "point", "points": [[1]]}]},
        "attributes.annotations[0].points[0]: expected x and y, got 1 number",
    ),
    (
        ImageVectorLabelAttributes(
            annotations=[ImageVectorAnnotation(id=1, category_id=1, type="polygon", points=[[1, 2, 3]])]
        ),
        "attributes.annotations[0].points[0]: expected x and y, got 3 numbers",
    ),
    (
        PointcloudVectorLabelAttributes(
            annotations=[PointcloudVectorAnnotation(id=1, category_id=1, type="polygon", points=[[1, 2]])]
        ),
        "attributes.annotations[0].points[0]: expected x, y and z, got 2 numbers",
    ),
    (
        {"annotations": [{**BOX, "type": "point"}]},
        "attributes.annotations[0].points: a point has one point, got 2",
    ),
    (
        ImageVectorLabelAttributes(annotations=[ImageVectorAnnotation(id=1, category_id=1, type="bbx", points=[])]),
        "attributes.annotations[0].type: unknown type 'bbx'; did you mean 'bbox'?",
    ),
]


@one_backend
@pytest.mark.parametrize(("attributes", "words"), MISTYPED)
async def test_mistyped_labels(client, attributes, words):
    """Every call that writes a label names the key, the type or the points."""
    with pytest.raises(InputError) as caught:
        await client.labels.put("u", "x", attributes)
    assert str(caught.value) == words
    with pytest.raises(InputError) as caught:
        await client.labels.update("u", "x", attributes=attributes)
    assert str(caught.value) == words
    report = await client.labels.put_many([LabelPut("u", attributes)])
    assert str(report.results[0].error) == f"labels[0].{words}"
    report = await client.labels.update_many([{"sample_uuid": "u", "attributes": attributes}])
    assert str(report.results[0].error) == f"changes[0].{words}"


@one_backend
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda c: c.samples.create_many("a/b", [{"name": "m", "attributes": IMAGE, "metdata": {}}]),
            "samples[0].metdata: unknown key; did you mean 'metadata'?",
        ),
        (
            lambda c: c.samples.create_many("a/b", [{"name": "m", "atributes": IMAGE}]),
            "samples[0].atributes: unknown key; did you mean 'attributes'?",
        ),
        (
            lambda c: c.samples.create_many("a/b", [{"name": "m", "attributes": IMAGE, "Priority": 5}]),
            "samples[0].Priority: unknown key; did you mean 'priority'?",
        ),
        (
            lambda c: c.samples.create_many("a/b", [{"name": "m", "attributes": {"imag": {"url": "x"}}}]),
            "samples[0].attributes.imag: unknown key; did you mean 'image'?",
        ),
        (
            lambda c: c.samples.update_many([{"uuid": "u", "priority": 1, "metdata": {"a": 1}}]),
            "changes[0].metdata: unknown key; did you mean 'metadata'?",
        ),
        (
            lambda c: c.samples.update_many([{"uuid": "u", "robot": 1}]),
            (
                "changes[0]: changes nothing; expected at least one of metadata, priority, assigned_labeler, "
                "assigned_reviewer, readme, name, attributes"
            ),
        ),
        (
            lambda c: c.labels.put_many([{"sample_uuid": "u", "attributes": {}, "label_statis": "LABELED"}]),
            "labels[0].label_statis: unknown key; did you mean 'label_status'?",
        ),
        (
            lambda c: c.labels.put_many([{"sample_uuid": "u", "attributes": {}, "scor": 0.5}]),
            "labels[0].scor: unknown key; did you mean 'score'?",
        ),
        (
            lambda c: c.labels.update_many([{"sample_uuid": "u", "labl_status": "LABELED"}]),
            "changes[0].labl_status: unknown key; did you mean 'label_status'?",
        ),
        (
            lambda c: c.labels.update_many([{"sample_uuid": "u", "robot": 7}]),
            "changes[0]: changes nothing; expected at least one of attributes, label_status, score",
        ),
    ],
)
async def test_mistyped_keys(client, call, words):
    """A near miss of a key that is absent fails the item, and nothing is sent."""
    report = await call(client)
    assert [str(outcome.error) for outcome in report.results] == [words]
    assert type(report.results[0].error) is InputError


@pytest.mark.parametrize(
    "given",
    [
        {"metadata": {}, "metdata": {}},  # the key is there, so the other one was meant
        {"data_type": "IMAGE", "created_by": "joe", "dataset_full_name": "a/b", "label": None},  # the service's own
        {"robot": 1, "weather": "rain", "x" * 1000: 1},
    ],
)
async def test_unknown_keys_pass(given):
    fields = {"name": "a", "attributes": {**IMAGE, "robot": 1}, **given}
    check_sample(fields)


async def test_unknown_label_keys_pass():
    cuboid = {**BOX, "type": "cuboid-3000", "points": [1, 2, 3], "robot": 1}
    returned = {"label_type": "vector", "created_by": "joe", "rating": 1, "robot": 1}
    check_label({"sample_uuid": "u", "attributes": {"annotations": [cuboid], "robot": 1}, **returned})


@one_backend
async def test_categories_of_a_dataset(client):
    """With the dataset at hand, a category that it does not have needs no request to be noticed."""
    flowers = Dataset(name="b", full_name="a/b", task_attributes=TaskAttributes(categories=[]))
    flowers.task_attributes.categories = [TaskAttributeCategory(name="rose", id=n) for n in (2, 1)]
    wrong = {"annotations": [BOX, {**BOX, "category_id": 9}]}
    words = "attributes.annotations[1].category_id: the dataset has no category 9; its ids: 1, 2"

    with pytest.raises(InputError) as caught:
        await client.labels.put("u", "x", wrong, dataset=flowers)
    assert str(caught.value) == words
    report = await client.labels.put_many([LabelPut("u", wrong)], dataset=flowers)
    assert str(report.results[0].error) == f"labels[0].{words}"
    with pytest.raises(TransportError, match="was sent"):
        await client.labels.put("u", "x", {"annotations": [BOX]}, dataset=flowers)
    for dataset, problem in [
        (Dataset(name="b"), "dataset: has no categories, as in a list of datasets; use datasets.get()"),
        ("a/b", "dataset: expected a Dataset, got str; pass `await client.datasets.get('a/b')`"),
    ]:
        with pytest.raises(InputError) as caught:
            await client.labels.put_many([], dataset=dataset)
        assert str(caught.value) == problem
        with pytest.raises(InputError) as caught:
            await client.labels.put("u", "x", {"annotations": [BOX]}, dataset=dataset)
        assert str(caught.value) == problem
