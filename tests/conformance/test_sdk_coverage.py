"""Each call of the official SDK, and each of its arguments, has a counterpart."""

from __future__ import annotations

import inspect
import re
from operator import attrgetter

import pytest
from sdk_coverage import OBJECTS, PAGE, ROWS, page
from sdk_coverage_helpers import HELPERS
from segments import SegmentsClient, dataset, export, resource_api, utils

import segments_async
from segments_async import AsyncSegments
from segments_async._misuse import OFFICIAL_METHODS

CLIENT = AsyncSegments("some-key")
SMALL = {"IdGenerator", "get_bbox", "get_color", "id2rgb", "rgb2id"}
"""Parts of the exports."""


def public_functions(holder, kind=inspect.isfunction):
    return {name for name, value in vars(holder).items() if kind(value) and not name.startswith("_")}


def arguments_of(method):
    """What a method takes by name, the keys of its keyword arguments among them."""
    names = set()
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            typed = re.fullmatch(r"Unpack\[(\w+)\]", parameter.annotation)
            names |= set(getattr(segments_async, typed[1]).__annotations__)
        else:
            names.add(name)
    return names


def test_every_call_has_a_row():
    assert {row.theirs for row in ROWS} == public_functions(SegmentsClient)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.theirs)
def test_every_argument_has_one(row):
    """By the same name, by the name that the table gives, or with a remark."""
    methods = [attrgetter(method)(CLIENT) for method in row.methods]
    taken = set().union(*map(arguments_of, methods))
    parameters = set(inspect.signature(getattr(SegmentsClient, row.theirs)).parameters) - {"self"}
    ours = {row.arguments.get(name, name) for name in parameters}
    assert {name for name in ours if not name.startswith("(")} <= taken
    assert set(row.arguments) <= parameters


def test_every_object_has_its_calls():
    classes = [getattr(resource_api, name) for name in {name.partition(".")[0] for name in OBJECTS}]
    theirs = {
        value
        for value in vars(resource_api).values()
        if inspect.isclass(value) and issubclass(value, resource_api.HasClient) and value is not resource_api.HasClient
    }
    assert set(classes) == theirs
    methods = {f"{cls.__name__}.{name}" for cls in classes for name in public_functions(cls)}
    assert set(OBJECTS) == {method for method in methods if ".model_" not in method}  # which are pydantic's
    hints = {f"{kind}.{name}": call for kind, calls in OFFICIAL_METHODS.items() for name, call in calls.items()}
    assert {name: call.partition("(")[0] for name, call in hints.items()} == OBJECTS
    for ours in OBJECTS.values():
        assert callable(attrgetter(ours)(CLIENT))


def test_every_helper_is_accounted_for():
    """It has a counterpart."""

    def of(module):
        made_here = {name for name in public_functions(module) if getattr(module, name).__module__ == module.__name__}
        return {f"{module.__name__.rpartition('.')[2]}.{name}" for name in made_here - SMALL}

    assert set(HELPERS) == of(utils) | of(export) | {"dataset.SegmentsDataset"}
    assert dataset.SegmentsDataset
    for ours in HELPERS.values():
        names = re.findall(r"`([\w.]+)`", ours)
        assert names
        for name in names:
            holder = CLIENT if name.startswith("client.") else segments_async
            for module in ("images", "export", "pointclouds"):
                __import__(f"segments_async.{module}")
            assert callable(attrgetter(name.removeprefix("client."))(holder)), name


def test_the_page_is_up_to_date():
    """If not: ``python tests/conformance/sdk_coverage.py``."""
    assert PAGE.read_text(encoding="utf-8") == page()
