"""The location of an argument, as keys and indices."""

import pytest

from segments_async._wire.input_paths import steps_of

VALUE = {"attributes": {"my.key": [{"a[0]": 1}], "my": {"key": 2}, "": 3}}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("", []),
        ("name", ["name"]),
        ("[3].name", [3, "name"]),
        ("attributes.my.key[0].a[0]", ["attributes", "my.key", 0, "a[0]"]),
        ("attributes.my", ["attributes", "my"]),
        ("attributes.missing.part[2]", ["attributes", "missing", "part", 2]),
        ("attributes.[", ["attributes", ".["]),
    ],
)
def test_steps(path, steps):
    assert steps_of(path, VALUE) == steps
