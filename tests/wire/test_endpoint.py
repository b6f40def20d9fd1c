from __future__ import annotations

import uuid
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.endpoint import Endpoint, dataset_path, segment
from segments_async.errors import InputError
from segments_async.models import Dataset, User

NAMES = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda name: name.strip() and name not in {".", ".."})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("violet.png", "violet.png"),
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        ("100%?#", "100%25%3F%23"),
        ("é", "%C3%A9"),
        ("..a", "..a"),
        ("{x}", "%7Bx%7D"),
    ],
)
def test_segment_is_escaped(name, expected):
    assert segment(name, "name") == expected


@given(NAMES)
def test_segment_comes_back_whole(name):
    """A server reads exactly the name, and sees no further segment."""
    escaped = segment(name, "name")

    assert unquote(escaped) == name
    assert not set("/?# ") & set(escaped)


def test_segment_takes_a_uuid():
    assert segment(uuid.UUID(int=7), "uuid") == "00000000-0000-0000-0000-000000000007"


@pytest.mark.parametrize("value", ["", " ", "\t", ".", "..", None, 7, b"x", "\ud800"])
def test_segment_refuses(value):
    """What would name another resource, or none, is refused with the argument's name."""
    with pytest.raises(InputError) as caught:
        segment(value, "labelset")

    assert caught.value.path == "labelset"


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("jane/flowers", "jane/flowers"),
        ("jane/my flowers?", "jane/my%20flowers%3F"),
        (Dataset(name="flowers", full_name="jane/flowers"), "jane/flowers"),
        (Dataset(name="flowers", owner=User(username="jane")), "jane/flowers"),
    ],
)
def test_dataset_path(dataset, expected):
    assert dataset_path(dataset) == expected


@pytest.mark.parametrize(
    "dataset",
    [
        "",
        "flowers",
        "/flowers",
        "jane/",
        "jane/ ",
        "a/b/c",
        "a/../b",
        "a/..",
        "./b",
        "a//b",
        None,
        7,
        ("jane", "flowers"),
    ],
)
def test_dataset_path_refuses(dataset):
    with pytest.raises(InputError, match=r'^dataset: expected "owner/name"'):
        dataset_path(dataset)


def test_dataset_without_an_owner_is_refused():
    with pytest.raises(InputError, match="neither full_name nor owner"):
        dataset_path(Dataset(name="flowers"))


def test_endpoint_fills_its_path():
    endpoint = Endpoint(method="GET", path="/datasets/{dataset}/releases/{name}/")

    assert endpoint.fill(dataset="jane/flowers", name="v 1") == "/datasets/jane/flowers/releases/v%201/"
