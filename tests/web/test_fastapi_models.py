"""Models are types of routes: bodies and responses, by the rules of this package, and in OpenAPI with their fields."""

import dataclasses
import json
import pprint
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from openapi_spec_validator import validate

from segments_async import Dataset, LabelAttributes, Sample, SampleAttributes, SampleCreate, models, structure
from segments_async.models import Model

sys.path.append(str(Path(__file__).parents[1] / "models"))
from payloads_of_every_kind import LABELS, SAMPLES

MODELS = sorted(
    (value for value in vars(models).values() if isinstance(value, type) and issubclass(value, Model)),
    key=lambda model: model.__name__,
)
CHANGES = {
    models.SampleUpdate: {
        "uuid": "u-1",
        "attributes": SAMPLES["image"],
        "priority": None,
        "metadata": {"a": [1, None]},
    },
    models.LabelUpdate: {"sample_uuid": "u-1", "labelset": "b", "attributes": LABELS["vector"], "score": 0.5},
}
PUT = {"sample_uuid": "u-1", "attributes": LABELS["vector"]}


BOX = {"id": 1, "category_id": 2, "type": "bbox", "points": [[1, 2], [3, 4]]}


def body_of(**annotation):
    return json.dumps({"sample_uuid": "u", "attributes": {"annotations": [annotation]}})


def echo_of(kind):
    async def echo(body):
        return body

    echo.__annotations__ = {"body": kind, "return": kind}
    return echo


@pytest.fixture(scope="module")
def web():
    app = FastAPI()
    for model in MODELS:
        app.post(f"/{model.__name__}")(echo_of(model))
    app.post("/many")(echo_of(list[SampleCreate]))

    @app.post("/maybe")
    async def maybe(body: models.SampleCreate | None = None) -> models.SampleCreate | None:
        return body

    for change in CHANGES:
        app.post(f"/{change.__name__}")(echo_of(change))
    app.post("/changes")(echo_of(list[models.SampleUpdate]))

    for name, kind in {"label": LabelAttributes, "sample": SampleAttributes}.items():

        async def name_of(body):
            return type(body).__name__

        name_of.__annotations__ = {"body": kind, "return": str}
        app.post(f"/{name}-attributes")(name_of)
    with TestClient(app) as client:
        yield client


def test_every_model_is_a_body_and_a_response_in_openapi(web):
    schema = web.get("/openapi.json").json()

    validate(schema)
    without_body = [path for path, methods in schema["paths"].items() if "requestBody" not in methods["post"]]
    assert without_body == []
    put = schema["components"]["schemas"]["LabelPut"]
    assert put["required"] == ["sample_uuid", "attributes"]
    assert set(put["properties"]) == {"sample_uuid", "attributes", "labelset", "label_status", "score"}
    assert {"$ref": "#/components/schemas/ImageVectorLabelAttributes"} in put["properties"]["attributes"]["anyOf"]
    assert put["description"] == "A label to set, for ``labels.put_many``."


@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_as_they_were(web, kind):
    wire = {**PUT, "attributes": LABELS[kind], "score": 0.1, "new": {"big": 2**70, "small": 1e-300, "none": None}}

    answer = web.post("/LabelPut", json=wire)

    assert (answer.status_code, answer.json()) == (200, wire)


@pytest.mark.parametrize("kind", SAMPLES)
def test_samples_come_back_as_they_were(web, kind):
    wire = {"uuid": "u-1", "name": "a", "attributes": SAMPLES[kind], "new": [1], "created_at": "2024-02-30T00:00:00Z"}

    answer = web.post("/Sample", json=wire)

    assert (answer.status_code, answer.json()) == (200, wire)


@pytest.mark.parametrize(("route", "payloads"), [("label", LABELS), ("sample", SAMPLES)])
def test_a_union_of_attributes_is_chosen_by_shape(web, route, payloads):
    chosen = {kind: web.post(f"/{route}-attributes", json=payload).json() for kind, payload in payloads.items()}

    assert len(set(chosen.values())) == len(payloads)
    assert "dict" not in chosen.values()
    assert web.post(f"/{route}-attributes", json={"new": 1}).json() == "dict"


def test_attributes_of_another_type_are_refused(web):
    answer = web.post("/ImageSegmentationLabelAttributes", json=LABELS["vector"])

    [problem] = answer.json()["detail"]
    assert answer.status_code == 422
    assert problem["msg"] == "expected ImageSegmentationLabelAttributes, got what looks like ImageVectorLabelAttributes"


@pytest.mark.parametrize(
    ("route", "body", "location", "words"),
    [
        ("LabelPut", '{"attributes": {}}', ["sample_uuid"], "missing"),
        ("LabelPut", '{"sample_uuid": 7, "attributes": {}}', ["sample_uuid"], "expected a string, got int"),
        ("LabelPut", '{"sample_uuid": "u", "attributes": {}, "score": "0.5"}', ["score"], "expected a number, got str"),
        ("LabelPut", '{"sample_uuid": "u", "attributes": {}, "score": NaN}', ["score"], "NaN is not JSON"),
        ("LabelPut", '{"sample_uuid": "u", "attributes": {}, "x": ["\\ud800"]}', ["x", 0], "half a character"),
        ("LabelPut", "[]", [], "expected an object, got list"),
        (
            "LabelPut",
            '{"sample_uuid": "u", "attributes": {"boxes": []}}',
            ["attributes"],
            "expected an object with 'annotations'",
        ),
        (
            "LabelPut",
            '{"sample_uuid": "u", "attributes": {"annotations": [{"id": 1, "category_id": 1}]}}',
            ["attributes", "annotations", 0, "type"],
            "missing; only annotations of a segmentation",
        ),
        (
            "LabelUpdate",
            '{"sample_uuid": "u", "attributes": {"annotations": [{"id": "x"}]}}',
            ["attributes", "annotations", 0, "type"],
            "missing",
        ),
        ("LabelUpdate", '{"sample_uuid": "u", "attributes": {"boxes": []}}', ["attributes"], "expected an object with"),
        (
            "LabelPut",
            body_of(**{**BOX, "points": [[1, 2]]}),
            ["attributes", "annotations", 0, "points"],
            "a bbox has two corners, got 1",
        ),
        (
            "LabelUpdate",
            body_of(**{**BOX, "points": [[1, 2], [3, 4, 5]]}),
            ["attributes", "annotations", 0, "points", 1],
            "expected x and y, got 3 numbers",
        ),
        (
            "LabelPut",
            body_of(**{**BOX, "type": "bbx"}),
            ["attributes", "annotations", 0, "type"],
            "unknown type 'bbx'; did you mean 'bbox'?",
        ),
        (
            "LabelPut",
            json.dumps({**PUT, "label_statsu": "LABELED"}),
            ["label_statsu"],
            "unknown key; did you mean 'label_status'?",
        ),
        (
            "SampleCreate",
            '{"name": "a", "attributes": {"imag": {"url": "x"}}}',
            ["attributes", "imag"],
            "unknown key; did you mean 'image'?",
        ),
        (
            "TaskAttributes",
            '{"categories": [{"name": "a", "id": 1, "color": [999, 0, 0]}]}',
            ["categories", 0, "color"],
            "expected numbers from 0 to 255",
        ),
        ("TaskAttributes", '{"categoris": []}', ["categoris"], "unknown key; did you mean 'categories'?"),
        ("many", '[{"name": "a", "attributes": {}}, {"attributes": {}}]', [1, "name"], "missing"),
        (
            "LabelPut",
            json.dumps(
                {**PUT, "attributes": {"annotations": [{"id": 1, "category_id": 2, "type": "bbox", "points": [["x"]]}]}}
            ),
            ["attributes", "annotations", 0, "points", 0, 0],
            "expected a number, got str",
        ),
    ],
)
def test_422_says_where(web, route, body, location, words):
    answer = web.post(f"/{route}", content=body, headers={"content-type": "application/json"})

    [problem] = answer.json()["detail"]
    assert answer.status_code == 422
    assert problem["loc"] == ["body", *location]
    assert problem["msg"].startswith(words)


def test_an_optional_body(web):
    assert web.post("/maybe").json() is None
    assert web.post("/maybe", json={"name": "a", "attributes": {}}).json() == {"name": "a", "attributes": {}}


def test_responses_are_written_like_requests_to_the_service():
    app = FastAPI()
    wire = {"name": "flowers", "created_at": "2024-01-01T12:00:00.5+02:00", "new": 2**70}

    @app.get("/one")
    async def one() -> Dataset:
        return structure(wire, Dataset)

    @app.get("/all")
    async def every() -> list[Dataset]:
        return [structure(wire, Dataset)] * 2

    @app.get("/plain", response_model=Dataset)
    async def plain():
        return wire

    expected = {**wire, "created_at": "2024-01-01T10:00:00.500000Z"}
    with TestClient(app) as client:
        assert client.get("/one").json() == client.get("/plain").json() == expected
        assert client.get("/all").json() == [expected, expected]


def test_models_are_dataclasses_for_who_asks():
    """FastAPI asks; then the functions of `dataclasses` and `pprint` work, and orjson still refuses a lossy form."""
    sample = structure({"uuid": "u-1", "name": "a", "new": 1}, Sample)

    assert dataclasses.is_dataclass(sample)
    assert {field.name for field in dataclasses.fields(sample)} > {"uuid", "name", "attributes", "extra"}
    assert dataclasses.replace(sample, name="b") == structure({"uuid": "u-1", "name": "b", "new": 1}, Sample)
    assert dataclasses.asdict(sample)["extra"] == {"new": 1}
    assert pprint.pformat(sample) == repr(sample)
    with pytest.raises(TypeError):
        orjson.dumps(sample)


def test_models_import_neither_pydantic_nor_dataclass_machinery():
    code = "import sys; from segments_async import LabelPut, structure; sys.exit('pydantic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("change", CHANGES)
def test_changes_come_back_as_they_were(web, change):
    wire = CHANGES[change]
    target = next(iter(wire))

    for body in (wire, {target: "u-1"}, {target: "u-1", "attributes": {"annotations": [], "new": 1}}):
        answer = web.post(f"/{change.__name__}", json=body)
        assert (answer.status_code, answer.json()) == (200, body)


def test_a_list_of_changes(web):
    wire = [CHANGES[models.SampleUpdate], {"uuid": "u-2", "name": "b"}]
    assert web.post("/changes", json=wire).json() == wire


@pytest.mark.parametrize(
    ("change", "wire", "location", "words"),
    [
        ("SampleUpdate", {"priority": 1}, ["uuid"], "missing"),
        ("SampleUpdate", {"uuid": 3}, ["uuid"], "expected a string, got int"),
        ("SampleUpdate", {"uuid": "u-1", "prioriti": 1}, ["prioriti"], "unknown key; did you mean 'priority'?"),
        ("SampleUpdate", {"uuid": "u-1", "changes": {}}, ["changes"], "unknown key"),
        ("SampleUpdate", {"uuid": "u-1", "name": None}, ["name"], "expected a string, got null"),
        (
            "SampleUpdate",
            {"uuid": "u-1", "attributes": {"image": {"url": 3}}},
            ["attributes", "image", "url"],
            "expected a string, got int",
        ),
        ("SampleUpdate", [], [], "expected an object, got list"),
        ("LabelUpdate", {"score": 1}, ["sample_uuid"], "missing"),
        ("LabelUpdate", {"sample_uuid": "u-1", "name": "a"}, ["name"], "unknown key"),
        ("LabelUpdate", {"sample_uuid": "u-1", "score": "1"}, ["score"], "expected a number, got str"),
    ],
)
def test_422_says_where_in_a_change(web, change, wire, location, words):
    answer = web.post(f"/{change}", json=wire)

    [problem] = answer.json()["detail"]
    assert (answer.status_code, problem["loc"], problem["msg"]) == (422, ["body", *location], words)


def test_changes_in_openapi(web):
    schemas = web.get("/openapi.json").json()["components"]["schemas"]

    for change, target, keys in [
        (models.SampleUpdate, "uuid", models.SampleChanges.__annotations__),
        (models.LabelUpdate, "sample_uuid", {"labelset", *models.LabelChanges.__annotations__}),
    ]:
        schema = schemas[change.__name__]
        assert schema["required"] == [target]
        assert set(schema["properties"]) == {target, *keys}
        assert schema["additionalProperties"] is False
