"""Models are plain attrs classes: slotted, comparable, copyable, and quiet about credentials."""

import copy
import dataclasses
import doctest
import importlib
import inspect
import math
import pickle
import pkgutil

import attrs
import cattrs
import numpy as np
import pytest

from segments_async import models
from segments_async._serialization.converter import structure
from segments_async.errors import InputError
from segments_async.models import (
    URL,
    XYZ,
    Annotation,
    Asset,
    Dataset,
    FileSample,
    ImageSampleAttributes,
    ImageSegmentationAnnotation,
    ImageVectorAnnotation,
    LabelPut,
    Model,
    PresignedPost,
    Sample,
    SampleCreate,
    User,
)

CLASSES = [value for value in vars(models).values() if isinstance(value, type) and attrs.has(value)]
every_class = pytest.mark.parametrize("model", CLASSES)


def a_sample():
    return structure(
        {"uuid": "u", "name": "n", "odd": [1], "attributes": {"image": {"url": "x"}}, "label": {"score": 1}}, Sample
    )


@every_class
def test_every_field_is_documented(model):
    source = "".join(inspect.getsource(base) for base in inspect.getmro(model) if attrs.has(base))
    for name in attrs.fields_dict(model):
        _, _, rest = source.partition(f"\n    {name}: ")
        assert rest, name
        following = rest.split('"""')
        assert following[1].rstrip().endswith("."), name
        assert ": " not in following[0].split("\n")[-2].partition("  # ")[0], name


@every_class
def test_slots(model):
    assert not hasattr(model, "__dict__") or "__dict__" not in dir(model.__new__(model))
    with pytest.raises(AttributeError):
        model.__new__(model).no_such_field = 1


def test_pickle_copy_and_equality():
    sample = a_sample()
    for other in (pickle.loads(pickle.dumps(sample)), copy.copy(sample), copy.deepcopy(sample), attrs.evolve(sample)):
        assert other == sample
        assert other is not sample
        other.extra = {"odd": 2}
        assert other != sample


@pytest.mark.parametrize("model", [model for model in CLASSES if issubclass(model, Model)])
def test_a_dataclass_of_the_same_fields(model):
    """FastAPI looks for a dataclass, and a converter of cattrs then asks it alone which keys may be missing."""
    required = [a.name for a in attrs.fields(model) if a.default is attrs.NOTHING]
    found = dataclasses.fields(model)
    assert [one.name for one in found] == [a.name for a in attrs.fields(model)]
    missing = dataclasses.MISSING
    assert [one.name for one in found if one.default is missing and one.default_factory is missing] == required


def test_a_converter_of_cattrs():
    point = {"id": 1, "category_id": 2, "type": "point", "points": [[3.0, 4.0]]}
    annotation = cattrs.Converter().structure(point, ImageVectorAnnotation)
    assert annotation == ImageVectorAnnotation(id=1, category_id=2, type="point", points=[[3.0, 4.0]])


@every_class
def test_models_are_mutable_and_so_have_no_hash(model):
    with pytest.raises(TypeError, match="unhashable"):
        hash(model.__new__(model))


def test_a_model_equals_no_other_class():
    assert Annotation(id=1, category_id=2) == Annotation(id=1, category_id=2)
    assert Annotation(id=1, category_id=2) != Annotation(id=1, category_id=3)
    assert Annotation(id=1, category_id=2) != ImageSegmentationAnnotation(id=1, category_id=2)
    assert Annotation(id=1, category_id=2).__eq__(1) is NotImplemented


def test_a_repr_reads_as_it_is_written():
    assert repr(XYZ(1, -2.5, 0)) == "XYZ(x=1, y=-2.5, z=0)"
    user = User(username="jane")
    user.members = [user]
    assert "members=[...]" in repr(user)


def test_a_deep_copy_shares_nothing_and_keeps_what_is_shared_within():
    user = User(username="jane", extra={"odd": [1]})
    user.members = user.organizations = [user]
    copied = copy.deepcopy(user)
    assert copied.members is copied.organizations
    assert copied.members[0] is copied
    assert copied.extra == user.extra
    assert copied.extra["odd"] is not user.extra["odd"]
    points = np.ones((2, 2))
    shape = copy.deepcopy(ImageVectorAnnotation(id=1, category_id=1, type="polygon", points=points))
    assert shape.points is not points
    assert (shape.points == points).all()


def test_what_the_converter_made_equals_what_a_user_makes():
    assert structure({"url": "x"}, URL) == URL(url="x")
    assert structure({"name": "n", "attributes": {"image": {"url": "x"}}}, SampleCreate) == SampleCreate(
        "n", ImageSampleAttributes.from_url("x")
    )


def test_instances_share_nothing():
    assert URL(url="x").extra is not URL(url="x").extra
    assert structure({"url": "x"}, URL).extra is not structure({"url": "x"}, URL).extra


def test_first_arguments_of_bulk_items_go_by_position():
    assert SampleCreate("n", {}) == SampleCreate(name="n", attributes={})
    assert LabelPut("u", {}, score=1) == LabelPut(sample_uuid="u", attributes={}, score=1)
    assert FileSample("n", "a.png").attributes is None
    with pytest.raises(TypeError):
        LabelPut("u", {}, "ground-truth")
    with pytest.raises(TypeError):
        Sample("u", "n")


def test_no_repr_shows_a_credential_or_a_file():
    post = PresignedPost(url="https://s3.test", fields={"policy": "secret"})
    things = [URL(url="x", signed_url="secret"), post, Asset(url="x", presigned_post_fields=post)]
    assert "secret" not in repr([*things, FileSample("n", b"secret")])


@pytest.mark.parametrize(
    ("dataset", "identifier"),
    [
        (Dataset(name="flowers", full_name="jane/flowers"), "jane/flowers"),
        (Dataset(name="flowers", owner=User(username="jane")), "jane/flowers"),
    ],
)
def test_identifier(dataset, identifier):
    assert dataset.identifier == identifier


def test_a_dataset_without_owner_has_no_identifier():
    with pytest.raises(InputError, match="neither full_name nor owner"):
        _ = Dataset(name="flowers").identifier


def test_all_names_exist_once():
    assert len(models.__all__) == len(set(models.__all__))
    assert all(hasattr(models, name) for name in models.__all__)


@pytest.mark.parametrize("file", [info.name for info in pkgutil.iter_modules(models.__path__)])
def test_examples_are_true(file):
    module = importlib.import_module(f"segments_async.models.{file}")
    names = {**vars(models), **vars(math), "math": math}
    assert doctest.testmod(module, extraglobs=names).failed == 0
