"""What is scripted wrongly says so at once, with the name of the argument."""

from __future__ import annotations

import math
import re

import pytest

from segments_async.sandbox import Sandbox

WRONG = [
    ("organizations", "acme", "expected a list of names, got 'acme'"),
    ("organizations", ["acme", ""], "expected a name such as 'jane', got ''"),
    ("users", "bert", "expected a list of names, got 'bert'"),
    ("users", 7, "expected a list of names, got 7"),
    ("users", [7], "expected a name such as 'jane', got 7"),
    ("user", "", "expected a name such as 'jane', got ''"),
    ("user", "jane/flowers", "expected a name such as 'jane'"),
    ("other_user", "", "expected a name such as 'jane'"),
    ("api_key", "", "expected a key of printable ASCII"),
    ("api_key", None, "expected a key of printable ASCII"),
    ("other_api_key", "a b\n", "expected a key of printable ASCII"),
    ("listen", "no", "expected one of True, False, got 'no'"),
    ("max_calls", -1, "expected a number of requests from 0, got -1"),
    ("host", 5, "expected a name or an address such as"),
    ("host", "http://127.0.0.1", "expected a name or an address such as"),
    ("host", "[::1]", "expected a name or an address such as"),
]
ADJUSTED = [
    *(("latency", wrong, "expected seconds from 0") for wrong in ("0.1", -1, math.nan, math.inf, None, True)),
    *(("release_seconds", wrong, "expected seconds from 0") for wrong in ("5", -1, math.nan, None)),
    *(("max_per_page", wrong, "expected a number of rows from 1") for wrong in (0, -1, 2.5, "10", True)),
    ("clock", 5, "expected a function that returns the time, got 5"),
]
SET_LATER = [
    ("url_seconds", "60", "expected seconds, got '60'"),
    ("fail_releases", "no", "expected one of True, False, got 'no'"),
    ("fail_releases", 1, "expected one of True, False, got 1"),
    ("ignores_unknown_labelsets", None, "expected one of True, False, got None"),
    ("redirects_slashes", 0, "expected one of True, False, got 0"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG + ADJUSTED)
def test_arguments(name, value, words):
    with pytest.raises(ValueError, match=f"^{name}: {re.escape(words)}"):
        Sandbox(**{name: value})


def test_one_port_for_both_servers():
    with pytest.raises(ValueError, match="storage_port: expected another port than that of the API, got 8080 for both"):
        Sandbox(port=8080, storage_port=8080)


@pytest.mark.parametrize(("name", "value", "words"), ADJUSTED + SET_LATER)
def test_attributes(name, value, words):
    sandbox = Sandbox()
    before = getattr(sandbox, name)
    with pytest.raises(ValueError, match=f"^{name}: {re.escape(words)}"):
        setattr(sandbox, name, value)
    assert getattr(sandbox, name) == before


@pytest.mark.parametrize(
    ("name", "value"), [("wrong_key_status", 500), ("taken_name_status", "409"), ("keeps_valid_samples", "yes")]
)
def test_variants(name, value):
    with pytest.raises(ValueError, match=name):
        setattr(Sandbox().variants, name, value)


def test_a_misspelt_attribute():
    sandbox = Sandbox()
    with pytest.raises(AttributeError, match=r"no attribute 'latencyy'; did you mean 'latency'\?"):
        sandbox.latencyy = 1
    with pytest.raises(AttributeError, match="no attribute 'robots'"):
        sandbox.robots = 1
    with pytest.raises(AttributeError):
        sandbox.user = "jane"  # it would have no effect


def test_what_a_project_may_set(monkeypatch):
    """A subclass has attributes of its own, and methods may be replaced."""

    class Own(Sandbox):
        def __init__(self):
            super().__init__()
            self.robots = 1

    assert Own().robots == 1
    sandbox = Sandbox()
    monkeypatch.setattr(sandbox, "datasets", lambda: ["replaced"])
    assert sandbox.datasets() == ["replaced"]


def test_iterators_of_names():
    assert Sandbox(organizations=iter(["lab"]), users=[]).organizations == ("lab",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"time": -1}, "time: expected a number of milliseconds from 0"),
        ({"inactive_time": "5"}, "inactive_time: expected a number of milliseconds"),
        ({"work_type": "labelling"}, "work_type: expected one of 'label', 'review', 'normal'"),
        ({"next_label_status": "DONE"}, "next_label_status: expected one of None, "),
    ],
)
def test_work_units(sandbox, rose, arguments, words):
    with pytest.raises(ValueError, match=words):
        sandbox.add_workunit(rose, **arguments)
    assert sandbox.workunits("sandbox/flowers") == []


def test_releases_and_files(sandbox, rose):
    for arguments in ({"samples": -1}, {"samples": 1, "make": 5}):
        with pytest.raises(ValueError, match="expected a"):
            sandbox.add_release("sandbox/flowers", "v1", **arguments)
    with pytest.raises(ValueError, match="content: expected bytes, got str"):
        sandbox.add_file("s3://flowers/rose.png", "image")
    with pytest.raises(KeyError, match="There is no dataset 'flowers'"):
        sandbox.samples("flowers")
