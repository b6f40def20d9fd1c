"""Wrong types are refused, with the place where they are; arguments may be more than plain JSON."""

from collections import OrderedDict
from copy import deepcopy
from types import MappingProxyType

import numpy as np
import pytest

from segments_async._serialization.converter import check, structure, structure_answer, unstructure
from segments_async.errors import DecodeError, InputError, WrongTypeError
from segments_async.models import (
    URL,
    Asset,
    Collaborator,
    Dataset,
    ImageSampleAttributes,
    Label,
    LabelPut,
    LabelStatus,
    ReleaseSample,
    Sample,
    SampleCreate,
    User,
)

BOX = {"id": 1, "category_id": 2, "type": "bbox", "points": [[1, 2.5], [3, 4]]}


def sample(**changes):
    return {"uuid": "u", "name": "n", **changes}


def vector(**changes):
    return {"label_type": "vector", "attributes": {"annotations": [BOX, {**BOX, **changes}]}}


WRONG = [
    pytest.param(Sample, None, "", "expected an object, got null", id="null"),
    pytest.param(Sample, [], "", "expected an object, got list", id="list"),
    pytest.param(list[Sample], {}, "", "expected a list, got dict", id="no-list"),
    pytest.param(list[Sample], [sample(), 3], "[1]", "expected an object, got int", id="item"),
    pytest.param(Sample, {"uuid": "u"}, "name", "missing", id="missing"),
    pytest.param(Sample, sample(name=None), "name", "expected a string, got null", id="none-is-no-text"),
    pytest.param(Sample, sample(name=1), "name", "expected a string, got int", id="number-is-no-text"),
    pytest.param(Sample, sample(readme=1), "readme", "expected a string, got int", id="optional-text"),
    pytest.param(Sample, sample(priority="7"), "priority", "expected a number, got str", id="text-is-no-number"),
    pytest.param(Sample, sample(priority=True), "priority", "expected a number, got bool", id="true-is-no-number"),
    pytest.param(Sample, sample(metadata=[]), "metadata", "expected an object, got list", id="metadata"),
    pytest.param(Sample, sample(issues=[1]), "issues[0]", "expected an object, got int", id="issues"),
    pytest.param(Sample, sample(created_at=5), "created_at", "expected a string, got int", id="time"),
    pytest.param(Sample, sample(label="x"), "label", "expected an object, got str", id="label"),
    pytest.param(Sample, sample(attributes="x"), "attributes", "expected an object, got str", id="attributes"),
    pytest.param(Dataset, {"name": "n", "public": 1}, "public", "expected true or false, got int", id="bool"),
    pytest.param(
        Dataset,
        {"name": "n", "collaborators_count": 1.0},
        "collaborators_count",
        "expected an integer, got float",
        id="int",
    ),
    pytest.param(
        Dataset,
        {"name": "n", "samples_count": 1.5},
        "samples_count",
        "expected a string or an integer, got float",
        id="count",
    ),
    pytest.param(Dataset, {"name": "n", "owner": "jane"}, "owner", "expected an object, got str", id="owner"),
    pytest.param(Collaborator, {"user": 7, "role": "x"}, "user", "expected a string or an object, got int", id="union"),
    pytest.param(
        Asset,
        {"url": "x", "presignedPostFields": {"url": "x", "fields": {"key": 1}}},
        "presignedPostFields.fields.key",
        "expected a string, got int",
        id="name-on-the-wire",
    ),
    pytest.param(
        User,
        {"username": "o", "members": [{"username": "m", "organizations": [{"username": 1}]}]},
        "members[0].organizations[0].username",
        "expected a string, got int",
        id="own-kind",
    ),
    pytest.param(
        Label, {"label_type": 3, "attributes": {"a": 1}}, "label_type", "expected a string, got int", id="tag"
    ),
    pytest.param(
        Label, {"attributes": 3}, "attributes", "expected a list or an object, got int", id="no-json-container"
    ),
]
MISFITS = [
    pytest.param(
        list[Sample],
        [sample(), sample(attributes={"image": {"url": 5}})],
        "[1].attributes.image.url",
        "expected a string, got int",
        id="deep",
    ),
    pytest.param(
        Sample,
        sample(attributes={"image": {}}),
        "attributes.image.url",
        "missing",
        id="deep-missing",
    ),
    pytest.param(
        Sample,
        sample(attributes={"image": "https://x.test/a.png"}),
        "attributes.image",
        "expected an object, got str",
        id="image-is-an-object",
    ),
    pytest.param(Label, vector(id="1"), "attributes.annotations[1].id", "expected an integer, got str", id="id"),
    pytest.param(
        Label,
        vector(points=[[1, "2"]]),
        "attributes.annotations[1].points[0][1]",
        "expected a number, got str",
        id="point",
    ),
    pytest.param(
        Label,
        vector(points=[[1, 2], 3]),
        "attributes.annotations[1].points[1]",
        "expected a list, got int",
        id="points",
    ),
    pytest.param(
        Label,
        vector(points=[[1, True]]),
        "attributes.annotations[1].points[0][1]",
        "expected a number, got bool",
        id="true",
    ),
    pytest.param(
        Label,
        {"label_type": "vector", "attributes": [1]},
        "attributes",
        "expected an object, got list",
        id="tagged-list",
    ),
    pytest.param(
        ReleaseSample,
        {"uuid": "u", "name": "n", "labels": {"a": vector(id="1"), "b": vector()}},
        "labels.a.attributes.annotations[1].id",
        "expected an integer, got str",
        id="release",
    ),
    pytest.param(
        Label,
        {
            "label_type": "multisensor-sequence",
            "attributes": {
                "sensors": [
                    {"name": "a", "task_type": "vector", "attributes": {"annotations": [{**BOX, "points": None}]}},
                    {"name": "b", "task_type": "vector", "attributes": {"annotations": [BOX]}},
                ]
            },
        },
        "attributes.sensors[0].attributes.annotations[0].points",
        "expected a list, got null",
        id="sensor",
    ),
    pytest.param(
        Label,
        {"label_type": "pointcloud-vector", "attributes": {"annotations": [{"type": "polygon", "id": 1}]}},
        "attributes.annotations[0].category_id",
        "missing",
        id="one-of-several-types",
    ),
]
"""What a sample or a label contains, which other programs have stored and which need not fit its type."""
wrong = pytest.mark.parametrize(("model", "value", "path", "problem"), WRONG)


@wrong
def test_a_reply_of_the_wrong_type_is_a_decode_error(model, value, path, problem):
    with pytest.raises(DecodeError) as caught:
        structure(value, model)
    assert (caught.value.path, caught.value.problem) == (path, problem)
    assert caught.value.payload is value
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("model", "value", "path", "problem"), MISFITS)
def test_attributes_that_do_not_fit_stay_plain_json_in_answers(model, value, path, problem):
    """One damaged label of a dataset must not make its samples unreadable, and nothing of it is lost."""
    read = structure_answer(value, model)

    assert unstructure(read) == value
    with pytest.raises(DecodeError) as caught:
        structure(value, model)
    assert (caught.value.path, caught.value.problem) == (path, problem)


def test_only_what_does_not_fit_stays_plain():
    damaged, whole = vector(id="1"), vector()
    samples = structure_answer([sample(label=damaged), sample(label=whole)], list[Sample])

    assert samples[0].label.attributes == damaged["attributes"]
    assert list(samples[0].label.annotations()) == []
    with pytest.raises(WrongTypeError, match="see 'attributes'"):
        samples[0].label.vector  # noqa: B018
    assert [one.id for _, _, one in samples[1].label.annotations()] == [1, 1]


@pytest.mark.parametrize(("model", "value", "path", "problem"), WRONG + MISFITS)
def test_an_argument_of_the_wrong_type_is_an_input_error(model, value, path, problem):
    with pytest.raises(InputError) as caught:
        check(value, model, "samples[17]")
    joint = "." if path and not path.startswith("[") else ""
    assert str(caught.value) == f"samples[17]{joint}{path}: {problem}"


def test_check_needs_no_place():
    with pytest.raises(InputError, match=r"^name: expected a string, got int$"):
        check({"name": 1, "attributes": {}}, SampleCreate)


@pytest.mark.parametrize(
    ("model", "value"),
    [
        pytest.param(SampleCreate, {"name": "n", "attributes": {"hologram": {"url": 5}}}, id="unknown-shape"),
        pytest.param(SampleCreate, {"name": "n", "attributes": {}, "odd": object()}, id="unknown-key"),
        pytest.param(SampleCreate, {"name": "n", "attributes": ImageSampleAttributes.from_url("x")}, id="model"),
        pytest.param(SampleCreate, SampleCreate("n", {"image": URL(url="x")}), id="models-and-json"),
        pytest.param(SampleCreate, MappingProxyType({"name": "n", "attributes": OrderedDict()}), id="mappings"),
        pytest.param(SampleCreate, {"name": "n", "attributes": {}, "priority": np.float32(3)}, id="numpy-scalar"),
        pytest.param(
            LabelPut,
            {"sample_uuid": "u", "attributes": {"annotations": [{**BOX, "points": np.ones((2, 2))}]}},
            id="numpy-array",
        ),
        pytest.param(
            LabelPut,
            {"sample_uuid": "u", "attributes": {"annotations": [{**BOX, "points": ((1, 2), (3, 4))}]}},
            id="tuples",
        ),
        pytest.param(
            LabelPut, {"sample_uuid": "u", "attributes": {}, "label_status": LabelStatus.LABELED}, id="enum-member"
        ),
        pytest.param(list[SampleCreate] | None, None, id="nothing"),
    ],
)
def test_check_takes_what_can_be_sent(model, value):
    check(value, model, "item")


def test_check_looks_into_models():
    bad = SampleCreate("n", ImageSampleAttributes(image=URL(url=7)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^item.attributes.image.url: expected a string, got int$"):
        check(bad, SampleCreate, "item")


def test_words_are_plain_strings_in_models():
    read = structure({"label_status": LabelStatus.LABELED}, Label)
    assert type(read.label_status) is str
    assert type(unstructure(LabelPut("u", {}, label_status=LabelStatus.LABELED))["label_status"]) is str


def test_nesting_without_end_is_an_error():
    user = {"username": "u"}
    for _ in range(5000):
        user = {"username": "u", "members": [user]}
    with pytest.raises(DecodeError, match="nested too deeply"):
        structure(user, User)
    with pytest.raises(InputError, match="nested too deeply"):
        check(user, User)


@pytest.mark.parametrize(("model", "value"), [
    (Sample, sample(metadata={"a": [1, {"b": 2}]}, odd=[1], attributes={"image": {"url": "x", "odd": [1]}})),
    (Label, vector(odd={"a": 1})),
    (LabelPut, {"sample_uuid": "u", "attributes": {"annotations": [{**BOX, "points": ((1, 2), (3, 4))}]}}),
])  # fmt: skip
def test_arguments_are_never_edited(model, value):
    before = deepcopy(value)
    check(value, model)
    read = structure(value, model)
    plain = unstructure(read)
    assert value == before
    plain["odd"] = plain["attributes"]["odd"] = 0
    for key in plain:
        plain[key] = None
    assert value == before


def test_unstructured_containers_are_new():
    read = structure({"uuid": "u", "name": "n", "metadata": {"a": [1]}, "odd": {"b": [2]}}, Sample)
    plain = unstructure(read)
    plain["metadata"]["a"].append(2)
    plain["odd"]["b"].append(3)
    assert read.metadata == {"a": [1]}
    assert read.extra == {"odd": {"b": [2]}}


@pytest.mark.parametrize("wire", [{}, {"labels": None}], ids=["missing", "null"])
def test_reading_fills_defaults(wire):
    """A field whose type has no None is never None."""
    sample = structure({"uuid": "u", "name": "n", **wire}, ReleaseSample)

    assert sample.labels == {}
    assert sample.labels is not structure({"uuid": "u", "name": "n"}, ReleaseSample).labels
