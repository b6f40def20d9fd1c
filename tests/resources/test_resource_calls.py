"""The exact request that each method sends, and the type of its result."""

from __future__ import annotations

import inspect

import attrs
import httpx
import orjson
import pytest
import request_cases
from request_checks import DEFAULTS, ODD, ODD_PATH, Case, check_call, pages

from segments_async import (
    Asset,
    AsyncSegments,
    Collaborator,
    Dataset,
    DatasetChanges,
    DatasetSettings,
    ImageSampleAttributes,
    ImageVectorAnnotation,
    ImageVectorLabelAttributes,
    Label,
    LabelStatus,
    Release,
    Sample,
    TaskAttributeCategory,
    TaskAttributes,
    User,
    resources,
)
from segments_async.resources import Assets, Datasets, Labels, Releases, Samples
from segments_async.resources._base import Resource

pytestmark = pytest.mark.anyio

URL = "https://example.com/violet.jpg"
IMAGE = {"image": {"url": URL}}
BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
BOXES = {"annotations": [BOX]}
DATASET = {"name": "flowers", "full_name": "jane/flowers"}
SAMPLE = {"uuid": "u-1", "name": "violet.jpg", "attributes": IMAGE}
LABEL = {"sample_uuid": "u-1", "label_type": "bboxes", "label_status": "PRELABELED", "attributes": BOXES}
RELEASE = {"name": "v1", "status": "PENDING"}

CASES = [
    # Datasets
    Case(lambda c: c.datasets.list(), "GET /user/datasets/", pages(), answer=[DATASET], gives=[Dataset]),
    Case(lambda c: c.datasets.list("jane"), "GET /users/jane/datasets/", pages(), answer=[DATASET], gives=[Dataset]),
    Case(lambda c: c.datasets.list(owner=ODD), f"GET /users/{ODD_PATH}/datasets/", pages(), answer=[], gives=[]),
    Case(lambda c: c.datasets.list().first(), "GET /user/datasets/", pages(per_page="1"), answer=[], gives=None),
    Case(lambda c: c.datasets.get("jane/flowers"), "GET /datasets/jane/flowers/", answer=DATASET, gives=Dataset),
    Case(
        lambda c: c.datasets.get(f"{ODD}/{ODD}"), f"GET /datasets/{ODD_PATH}/{ODD_PATH}/", answer=DATASET, gives=Dataset
    ),
    Case(
        lambda c: c.datasets.get(Dataset(name="flowers", full_name="jane/flowers")),
        "GET /datasets/jane/flowers/",
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.get(Dataset(name="flowers", owner=User(username="jane"))),
        "GET /datasets/jane/flowers/",
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.create("flowers"),
        "POST /user/datasets/",
        body={**DEFAULTS, "name": "flowers"},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.create("flowers", organization="acme", description=None, task_type="vector", public=False),
        "POST /organizations/acme/datasets/",
        body={**DEFAULTS, "name": "flowers", "task_type": "vector", "public": False},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.create(
            "flowers",
            task_attributes=TaskAttributes(categories=[TaskAttributeCategory(name="rose", id=1, extra={"mine": 2})]),
            category="custom-plants",
        ),
        "POST /user/datasets/",
        body={
            **DEFAULTS,
            "name": "flowers",
            "category": "custom-plants",
            "task_attributes": {"categories": [{"name": "rose", "id": 1, "mine": 2}]},
        },
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.update("jane/flowers", description=None, public=True),
        "PATCH /datasets/jane/flowers/",
        body={"description": None, "public": True},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(
        lambda c: c.datasets.update("jane/flowers", name="roses", task_attributes=None),
        "PATCH /datasets/jane/flowers/",
        body={"name": "roses", "task_attributes": None},
        answer=DATASET,
        gives=Dataset,
    ),
    Case(lambda c: c.datasets.delete("jane/flowers"), "DELETE /datasets/jane/flowers/"),
    Case(
        lambda c: c.datasets.add_collaborator("jane/flowers", "joe"),
        "POST /datasets/jane/flowers/collaborators/",
        body={"user": "joe", "role": "labeler"},
        answer={"user": "joe", "role": "labeler"},
        gives=Collaborator,
    ),
    Case(
        lambda c: c.datasets.add_collaborator("jane/flowers", "joe", "admin"),
        "POST /datasets/jane/flowers/collaborators/",
        body={"user": "joe", "role": "admin"},
        answer={"user": {"username": "joe"}, "role": "admin"},
        gives=Collaborator,
    ),
    # Samples
    Case(
        lambda c: c.samples.list("jane/flowers"),
        "GET /datasets/jane/flowers/samples/",
        pages(sort="name"),
        answer=[SAMPLE],
        gives=[Sample],
    ),
    Case(
        lambda c: c.samples.list(
            "jane/flowers",
            labelset="ground truth",
            include_full_label=True,
            name="a&b=c",
            label_status=["LABELED", LabelStatus.REVIEWED],
            metadata={"city": "São Paulo", "day": True, "n": 7, "x": "a:b"},
            sort="created_at",
            direction="desc",
            per_page=7,
        ),
        "GET /datasets/jane/flowers/samples/",
        {
            "labelset": "ground truth",
            "include_full_label": "1",
            "name__contains": "a&b=c",
            "label_status": "LABELED,REVIEWED",
            "filters": "city:São Paulo,day:true,n:=7,x:a:b",
            "sort": "-created_at",
            "per_page": "7",
            "page": "1",
        },
        answer=[{**SAMPLE, "label": {"label_status": "LABELED"}}],
        gives=[Sample],
    ),
    Case(
        lambda c: c.samples.list("jane/flowers", label_status="LABELED", metadata="city:x"),
        "GET /datasets/jane/flowers/samples/",
        pages(sort="name", label_status="LABELED", filters="city:x"),
        answer=[],
        gives=[],
    ),
    Case(
        lambda c: c.samples.list("jane/flowers", metadata=["a:b", "c:d"]),
        "GET /datasets/jane/flowers/samples/",
        pages(sort="name", filters="a:b,c:d"),
        answer=[],
        gives=[],
    ),
    Case(
        lambda c: c.samples.list("jane/flowers", metadata={}),
        "GET /datasets/jane/flowers/samples/",
        pages(sort="name"),
        answer=[],
        gives=[],
    ),
    Case(lambda c: c.samples.get("u-1"), "GET /samples/u-1/", answer=SAMPLE, gives=Sample),
    Case(
        lambda c: c.samples.get("u-1", labelset="a&b", include_signed_urls=True),
        "GET /samples/u-1/",
        {"labelset": "a&b", "include_signed_urls": "1"},
        answer={**SAMPLE, "label": None},
        gives=Sample,
    ),
    Case(
        lambda c: c.samples.create("jane/flowers", "violet.jpg", IMAGE),
        "POST /datasets/jane/flowers/samples/",
        body={"name": "violet.jpg", "attributes": IMAGE},
        answer=SAMPLE,
        gives=Sample,
    ),
    Case(
        lambda c: c.samples.create(
            "jane/flowers",
            ODD,
            ImageSampleAttributes.from_url(URL),
            metadata={"a": [None]},
            priority=2.5,
            assigned_labeler=None,
            readme="",
        ),
        "POST /datasets/jane/flowers/samples/",
        body={"name": ODD, "attributes": IMAGE, "metadata": {"a": [None]}, "priority": 2.5, "readme": ""},
        answer=SAMPLE,
        gives=Sample,
    ),
    Case(
        lambda c: c.samples.create("jane/flowers", "x", {"novel": {"deep": [None, 1]}}),
        "POST /datasets/jane/flowers/samples/",
        body={"name": "x", "attributes": {"novel": {"deep": [None, 1]}}},
        answer=SAMPLE,
        gives=Sample,
    ),
    Case(
        lambda c: c.samples.update(
            "u-1", assigned_labeler=None, priority=0, attributes=ImageSampleAttributes.from_url(URL)
        ),
        "PATCH /samples/u-1/",
        body={"assigned_labeler": None, "priority": 0, "attributes": IMAGE},
        answer=SAMPLE,
        gives=Sample,
    ),
    Case(lambda c: c.samples.delete(ODD), f"DELETE /samples/{ODD_PATH}/"),
    # Labels
    Case(lambda c: c.labels.get("u-1"), "GET /labels/u-1/ground-truth/", answer=LABEL, gives=Label),
    Case(lambda c: c.labels.get("u-1", ODD), f"GET /labels/u-1/{ODD_PATH}/", answer=LABEL, gives=Label),
    Case(lambda c: c.labels.get("u/1", "a/b"), "GET /labels/u%2F1/a%2Fb/", answer=LABEL, gives=Label),
    Case(
        lambda c: c.labels.put("u-1", "ground-truth", BOXES),
        "PUT /labels/u-1/ground-truth/",
        body={"attributes": BOXES, "label_status": "PRELABELED"},
        answer=LABEL,
        gives=Label,
    ),
    Case(
        lambda c: c.labels.put(
            "u-1",
            "ground-truth",
            ImageVectorLabelAttributes(
                annotations=[
                    ImageVectorAnnotation(id=1, category_id=1, type="bbox", points=[[1, 2], [3, 4]], extra={"z": None})
                ]
            ),
            label_status=None,
            score=0,
        ),
        "PUT /labels/u-1/ground-truth/",
        body={"attributes": {"annotations": [{**BOX, "z": None}]}, "score": 0},
        answer=LABEL,
        gives=Label,
    ),
    Case(
        lambda c: c.labels.put("u-1", "ground-truth", [], label_status=LabelStatus.SKIPPED),
        "PUT /labels/u-1/ground-truth/",
        body={"attributes": [], "label_status": "SKIPPED"},
        answer=LABEL,
        gives=Label,
    ),
    Case(
        lambda c: c.labels.update("u-1", "preds", label_status="REVIEWED"),
        "PATCH /labels/u-1/preds/",
        body={"label_status": "REVIEWED"},
        answer=LABEL,
        gives=Label,
    ),
    Case(
        lambda c: c.labels.update("u-1", ODD, score=None, attributes=BOXES),
        f"PATCH /labels/u-1/{ODD_PATH}/",
        body={"score": None, "attributes": BOXES},
        answer=LABEL,
        gives=Label,
    ),
    Case(lambda c: c.labels.delete("u-1"), "DELETE /labels/u-1/ground-truth/"),
    Case(lambda c: c.labels.delete("u-1", "preds"), "DELETE /labels/u-1/preds/"),
    # Releases
    Case(
        lambda c: c.releases.list("jane/flowers"),
        "GET /datasets/jane/flowers/releases/",
        answer=[RELEASE],
        gives=[Release],
    ),
    Case(
        lambda c: c.releases.get("jane/flowers", ODD),
        f"GET /datasets/jane/flowers/releases/{ODD_PATH}/",
        answer=RELEASE,
        gives=Release,
    ),
    Case(
        lambda c: c.releases.create("jane/flowers", "v1"),
        "POST /datasets/jane/flowers/releases/",
        body={"name": "v1", "description": ""},
        answer=RELEASE,
        gives=Release,
    ),
    Case(
        lambda c: c.releases.create("jane/flowers", "v1", description="First."),
        "POST /datasets/jane/flowers/releases/",
        body={"name": "v1", "description": "First."},
        answer=RELEASE,
        gives=Release,
    ),
    Case(lambda c: c.releases.delete("jane/flowers", "v1"), "DELETE /datasets/jane/flowers/releases/v1/"),
    Case(
        lambda c: c.releases.wait("jane/flowers", "v1"),
        "GET /datasets/jane/flowers/releases/v1/",
        answer={**RELEASE, "status": "SUCCEEDED"},
        gives=Release,
    ),
]

ELSEWHERE = {
    # Tested on a real socket, as they need more than one answer.
    (Datasets, "import_annotations"),
    (Assets, "upload"),
    (Assets, "upload_traced"),
    (Samples, "create_many"),
    (Samples, "stream"),
    (Samples, "stream_create"),
    (Samples, "upload_files"),
    (Samples, "update_many"),
    (Samples, "delete_many"),
    (Samples, "uuids"),
    (Labels, "get_bitmap"),
    (Labels, "put_bitmap"),
    (Labels, "put_bitmaps"),
    (Labels, "put_many"),
    (Labels, "stream_put"),
    (Labels, "get_many"),
    (Labels, "stream_get"),
    (Labels, "update_many"),
    (Labels, "delete_many"),
    (Releases, "download"),
    (Releases, "export"),
    (Releases, "iterate"),
    (Releases, "open"),
    (Releases, "stream_samples"),
    (Releases, "summary"),
    (Assets, "download_many"),
    (Assets, "read"),
}


@pytest.mark.parametrize("case", CASES + request_cases.CASES, ids=lambda case: case.sends)
async def test_call(case):
    await check_call(case)


RESOURCES = [getattr(resources, name) for name in resources.__all__]


def public_methods():
    return [
        (cls, name, method)
        for cls in RESOURCES
        for name, method in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and name not in Resource.__dict__
    ]


def test_every_method_is_in_the_table():
    """A method that is added needs a case here, or a place among those tested elsewhere."""
    source = inspect.getsource(inspect.getmodule(test_call)) + inspect.getsource(request_cases)
    missing = [
        f"{cls.__name__}.{name}"
        for cls, name, _ in public_methods()
        if (cls, name) not in ELSEWHERE and f"c.{cls.__name__.lower()}.{name}(" not in source
    ]
    assert missing == []


def test_every_setting_is_in_the_table():
    """In create, in update, and in the model of the answer."""
    assert request_cases.SETTINGS.keys() == DatasetSettings.__annotations__.keys()
    assert request_cases.SETTINGS.keys() | {"name"} == DatasetChanges.__annotations__.keys()
    assert request_cases.SETTINGS.keys() <= attrs.fields_dict(Dataset).keys()


@pytest.mark.parametrize(("cls", "name", "method"), public_methods(), ids=lambda part: getattr(part, "__name__", part))
def test_docstrings(cls, name, method):
    """An imperative line, an example, every argument, and what is special about the errors."""
    text = inspect.getdoc(method)
    assert text, name
    if (cls, name) == (Assets, "upload_traced"):
        return
    assert text.splitlines()[0].endswith(".")
    assert "Example::\n\n    " in text
    arguments = [argument for argument in inspect.signature(method).parameters if argument != "self"]
    if arguments:
        listed = text.partition("Args:")[2]
        assert [argument for argument in arguments if f"    {argument}: " not in listed] == []


@pytest.mark.parametrize("cls", RESOURCES)
def test_classes_name_their_source(cls):
    assert "Source: " in cls.__doc__


class TestAssets:
    """Two requests: the API returns an upload form, the storage receives the bytes."""

    async def test_upload(self):
        requests = []

        def answer(request):
            requests.append(request)
            if request.url.host == "api.x":
                post = {"url": "https://s3.x/bucket", "fields": {"key": "k", "Content-Type": "image/png"}}
                return httpx.Response(201, json={"uuid": "a-1", "url": "https://s3.x/k", "presignedPostFields": post})
            return httpx.Response(204)

        async with AsyncSegments("key", base_url="https://api.x", transport=httpx.MockTransport(answer)) as client:
            asset = await client.assets.upload(b"content", "a.png")

        first, second = requests
        assert (first.method, first.url.path, orjson.loads(first.content)) == (
            "POST",
            "/assets/",
            {"filename": "a.png"},
        )
        assert (second.method, str(second.url)) == ("POST", "https://s3.x/bucket")
        assert "authorization" not in second.headers
        assert type(asset) is Asset
        assert asset.url == "https://s3.x/k"
