"""`help` and the hints of editors show each option of a bulk call, with its meaning, default and unit."""

from __future__ import annotations

import ast
import inspect
import pydoc
from pathlib import Path

import pytest

from segments_async import AsyncSegments, BulkOptions, BulkSettings, resources
from segments_async.bulk import options
from segments_async.bulk.option_help import OPTION_HELP

BULK_CALLS = [
    method
    for resource in vars(resources).values()
    if inspect.isclass(resource)
    for method in vars(resource).values()
    if inspect.isfunction(method) and "bulk" in inspect.signature(method).parameters
]


def in_one_line(text):
    return " ".join(text.split())


def docstrings_of_keys():
    """The docstrings below the keys of `BulkOptions`, as editors show them."""
    tree = ast.parse(Path(options.__file__).read_text(encoding="utf-8"))
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "BulkOptions"]
    pairs = zip(body[1::2], body[2::2], strict=True)
    return {key.target.id: in_one_line(text.value.value) for key, text in pairs}


def test_every_option_is_explained():
    assert list(OPTION_HELP) == list(BulkOptions.__annotations__)
    assert docstrings_of_keys() == OPTION_HELP


def test_editors_show_the_names():
    """They show docstrings as they are written: each names all options, as `help` explains them all."""
    names = ", ".join(f"``{name}``" for name in OPTION_HELP)
    for path in sorted(Path(resources.__file__).parent.rglob("*.py")):
        text = " ".join(path.read_text(encoding="utf-8").split())
        assert text.count("bulk: Keys of `BulkOptions`") == text.count(f"explained there: {names}")
    assert "``dry_run``" not in resources.Samples.create_many.__doc__


@pytest.mark.parametrize("name", OPTION_HELP)
def test_the_default_is_the_real_one(name):
    default = getattr(BulkSettings(), name)

    words = f'"{default}"' if isinstance(default, str) else repr(default)
    assert f"Default {words}" in OPTION_HELP[name]


def test_all_bulk_calls_are_found():
    assert len(BULK_CALLS) == 14
    assert AsyncSegments.__init__ not in BULK_CALLS


@pytest.mark.parametrize("call", BULK_CALLS, ids=lambda call: call.__qualname__)
def test_help_shows_every_option(call):
    shown = in_one_line(pydoc.plain(pydoc.render_doc(call)))

    for name, words in OPTION_HELP.items():
        assert f"{name}: {words}" in shown


def test_help_of_the_options():
    shown = in_one_line(inspect.getdoc(BulkOptions))

    assert all(f"{name}: {words}" in shown for name, words in OPTION_HELP.items())
