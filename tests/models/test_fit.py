"""Property: what the check of a model lets pass, its reader reads, whatever is damaged and wherever."""

import copy

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from payloads_of_every_kind import LABELS, SAMPLES
from strategies import MODELS, anything, objects

from segments_async import DecodeError
from segments_async._serialization.converter import structure
from segments_async._serialization.fit import fits
from segments_async.models import Label, Sample

RARELY_SMALL = [HealthCheck.too_slow, HealthCheck.data_too_large]
GONE = object()


def is_read(wire, model):
    try:
        structure(wire, model)
    except DecodeError:
        return False
    return True


def places_in(value):
    """Each container in *value* with each key or index in it."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield value, step
        yield from places_in(inner)


def damage(wire, place, value):
    """Return a copy of *wire* with *value* at the place of that number, or without what is there."""
    damaged = copy.deepcopy(wire)
    container, step = list(places_in(damaged))[place]
    if value is GONE:
        del container[step]
    else:
        container[step] = value
    return damaged


@pytest.mark.parametrize("examples", [8, pytest.param(500, marks=pytest.mark.full)])
@pytest.mark.parametrize("model", MODELS)
def test_check_and_reader_agree(model, examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=RARELY_SMALL)
    @given(objects(model), st.data())
    def property_(wire, data):
        assert fits(wire, model)
        if wire:
            place = data.draw(st.integers(0, sum(1 for _ in places_in(wire)) - 1))
            damaged = damage(wire, place, data.draw(st.just(GONE) | anything))
            assert fits(damaged, model) <= is_read(damaged, model)

    property_()


WHOLE = [
    *(pytest.param({"label_type": kind, "attributes": wire}, Label, id=kind) for kind, wire in LABELS.items()),
    *(
        pytest.param({"uuid": "u-1", "name": "a", "attributes": wire}, Sample, id=f"sample of {kind}")
        for kind, wire in SAMPLES.items()
    ),
]
VALUES = [GONE, None, True, 7, 0.5, "x", "", [], [7], [[None]], ["x"], {}, {"id": "x"}, {"url": 7}]


@pytest.mark.parametrize(("wire", "model"), WHOLE)
def test_every_place_of_a_sample_and_a_label(wire, model):
    """Damage is seen everywhere at once, and what is not damaged passes: only what is kept as plain JSON may not."""
    assert fits(wire, model)
    refused = 0
    for place in range(sum(1 for _ in places_in(wire))):
        for value in VALUES[place % 5 :: 5]:
            damaged = damage(wire, place, value)
            is_fit = fits(damaged, model)
            assert is_fit <= is_read(damaged, model)
            refused += not is_fit
    assert refused


@pytest.mark.parametrize("value", [None, 7, "x", [], [{}], True])
@pytest.mark.parametrize("model", [Sample, Label])
def test_what_is_no_object(value, model):
    assert not fits(value, model)


def test_lists_of_models():
    whole = {"uuid": "u", "name": "a"}
    assert fits([whole, whole], list[Sample])
    assert not fits([whole, {**whole, "name": None}], list[Sample])
    assert not fits(whole, list[Sample])
