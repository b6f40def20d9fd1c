"""The filters of samples: their words, and what they mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segments_async import AsyncSegments, InputError, LabelStatus, NotFoundError
from segments_async._wire.filters import (
    check_statuses,
    filters_parameter,
    parse_condition,
    parse_conditions,
    parse_statuses,
    with_upper_status,
)
from segments_async.sandbox.filters import matches_filters

METADATA = {"city": "Ghent", "height": 3, "depth": -2.5, "night": True, "tags": ["red", "dark blue", 7], "none": None}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("city:Ghent", True),
        ("city:ghent", False),
        ("city:Gh", False),
        ("town:Ghent", False),
        ("night:true", True),
        ("night:=1", False),
        ("height:=3", True),
        ("height:=3.0", True),
        ("height:=4", False),
        ("height:>3", False),
        ("height:>2.5", True),
        ("height:>=3", True),
        ("height:<3", False),
        ("height:<3.5", True),
        ("height:<=3", True),
        ("depth:<-2", True),
        ("depth:=-2.5", True),
        ("depth:>1e-3", False),
        ("city:>3", False),
        ("none:=0", False),
        ("tags:|red", True),
        ("tags:|dark blue", True),
        ("tags:|blue", False),
        ("tags:|7", True),
        ("city:|Ghent", False),
        ("tags:red", False),
    ],
)
def test_conditions(text, matches):
    """As the search page documents them; the sandbox, written from the same page, agrees."""
    condition = parse_condition(text)

    assert condition.matches(METADATA) is matches
    assert matches_filters(METADATA, text) is matches
    assert str(condition) == text


@pytest.mark.parametrize(
    ("given_", "parameter"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ("city:Ghent", "city:Ghent"),
        (["city:Ghent", "height:>=3"], "city:Ghent,height:>=3"),
        ({"city": "Ghent", "height": 3, "night": False}, "city:Ghent,height:=3,night:false"),
        ({"depth": -2.5, "tags": ["red", 7]}, "depth:=-2.5,tags:|red,tags:|7"),
        ({"height": ">2", "tags": "|red"}, "height:>2,tags:|red"),
        ({"height": "3"}, "height:3"),
        ({"url": "https://x"}, "url:https://x"),
        ({"id": 10**400}, f"id:=1{'0' * 400}"),
        (
            {"height": np.int64(3), "depth": np.float32(0.5), "tags": np.array(["red"])},
            "height:=3,depth:=0.5,tags:|red",
        ),
        ({"night": np.array([True])[0], "status": LabelStatus.LABELED}, "night:true,status:LABELED"),
    ],
)
def test_query(given_, parameter):
    """What is sent; a number goes out as a number."""
    assert filters_parameter(parse_conditions(given_)) == parameter


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ("city", "metadata: expected \"key:value\", got 'city'"),
        (":x", "metadata: expected \"key:value\", got ':x'"),
        ("height:>", "metadata: expected a number after '>', got '>'"),
        ("height:=tall", "metadata: expected a number after '=', got '=tall'"),
        ("height:<=nan", "metadata: expected a number after '<=', got '<=nan'"),
        ({"height": float("inf")}, "metadata.height: cannot filter by inf"),
        ({"height": None}, "metadata.height: expected text, a number, a bool or a list, got NoneType"),
        ({"height": {"a": 1}}, "metadata.height: expected text, a number, a bool or a list, got dict"),
        ({"tags": [None]}, "metadata.tags: expected a list of texts or numbers, got NoneType"),
        ({"tags": []}, "metadata.tags: expected at least one value; leave it out to get all"),
        ({7: "x"}, "metadata: expected text as key, got 7"),
        ({"tags": ["a,b"]}, "metadata: cannot filter by a value with a comma: 'tags:|a,b'"),
        ({"a:b": "c"}, "metadata: cannot filter by a key with a colon: 'a:b'"),
        (7, "metadata: expected text, a list of texts or a mapping, got int"),
        ([7], 'metadata: expected "key:value", got 7'),
    ],
)
def test_invalid(given_, words):
    with pytest.raises(InputError) as caught:
        filters_parameter(parse_conditions(given_))
    assert str(caught.value) == words


VALUES = st.integers(-5, 5) | st.sampled_from([0.5, -1.5, 2.0]) | st.booleans() | st.sampled_from(["a", "3", "red", ""])


@given(
    found=VALUES | st.lists(VALUES, max_size=3),
    wanted=st.sampled_from(["", "=", ">", ">=", "<", "<=", "|"]),
    value=st.integers(-5, 5) | st.sampled_from([0.5, 2.0]) | st.sampled_from(["a", "red"]),
)
def test_client_and_sandbox_agree(found, wanted, value):
    """Two implementations of one page: filters over a list and over a release mean the same."""
    if wanted in {"", "|"} or not isinstance(value, str):
        text = f"k:{wanted}{value}"
        if isinstance(found, list) and not wanted:
            return  # text against a list is not documented
        assert parse_condition(text).matches({"k": found}) == matches_filters({"k": found}, text)


class Broken:
    """Raises whatever is asked of it."""

    def __init__(self, error):
        self.error = error

    def fail(self, *_):
        raise self.error

    __iter__ = __getitem__ = items = tolist = as_py = fail


class BrokenMapping(Broken, dict):
    pass


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("in a filter"), RecursionError(), NotFoundError(404, "GET", "u", "x")]
)
@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda error: {"label_status": Broken(error)}, "label_status"),
        (lambda error: {"metadata": Broken(error)}, "metadata"),
        (lambda error: {"metadata": BrokenMapping(error)}, "metadata"),
        (lambda error: {"metadata": {"height": Broken(error)}}, "metadata.height"),
        (lambda error: {"metadata": {"tags": ["a", Broken(error)]}}, "metadata.tags"),
    ],
)
def test_filter_that_raises(make, path, error):
    """The original is the cause, and nothing is sent."""
    client = AsyncSegments("key", base_url="http://127.0.0.1:1")
    for read in (client.samples.list, client.samples.stream):
        with pytest.raises(InputError) as caught:
            read("jane/flowers", **make(error))
        assert caught.value.path == path
        assert caught.value.__cause__ is error


@pytest.mark.parametrize("given_", [7, [7], [None], "", [" "], []])
def test_what_is_no_status(given_):
    with pytest.raises(InputError) as caught:
        parse_statuses(given_)
    assert caught.value.path == "label_status"


@pytest.mark.parametrize(
    ("given_", "statuses"),
    [
        (None, None),
        ("labeled", ["LABELED"]),
        ("Labeled, reviewed", ["LABELED", "REVIEWED"]),
        (["labeling_in_progress", "SKIPPED"], ["LABELING_IN_PROGRESS", "SKIPPED"]),
    ],
)
def test_statuses(given_, statuses):
    """In any case."""
    assert parse_statuses(given_) == statuses
    check_statuses(statuses or ())


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("labelled", "did you mean 'LABELED'?"),
        ("reviewd", "did you mean 'REVIEWED'?"),
        ("done", "expected one of LABELED, LABELING_IN_PROGRESS, "),
    ],
)
def test_word_that_is_no_status(word, hint):
    with pytest.raises(InputError) as caught:
        check_statuses(parse_statuses(word))
    assert str(caught.value).startswith(f"label_status: {word.upper()!r} is not a label status; {hint}")
    check_statuses(parse_statuses(word), known=[word.upper()])


def test_statuses_that_are_sent():
    """Known ones in upper case, others as given; the mapping of the caller is not changed."""
    given_ = {"label_status": "reviewed", "score": 1}
    assert with_upper_status(given_) == {"label_status": "REVIEWED", "score": 1}
    assert given_["label_status"] == "reviewed"
    for other in ({"label_status": "approved"}, {"label_status": None}, {"label_status": 7}, {"score": 1}):
        assert with_upper_status(other) is other


@pytest.mark.parametrize("nothing", [",", " , ", [","], []])
def test_statuses_without_a_word(nothing):
    """They would select everything in a list, and nothing in a release."""
    with pytest.raises(InputError, match="label_status: expected at least one value"):
        parse_statuses(nothing)
