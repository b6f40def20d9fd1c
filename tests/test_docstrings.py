"""Docstrings of the calls and of the items that users create: each argument, and what is returned."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import segments_async
from segments_async import (
    AsyncSegments,
    BitmapPut,
    FileSample,
    LabelPut,
    LabelUpdate,
    ReleaseFile,
    SampleCreate,
    SampleUpdate,
    images,
    models,
    resources,
    sync,
)

PACKAGE = Path(segments_async.__file__).parent
CLASSES = [AsyncSegments, ReleaseFile, *(getattr(resources, name) for name in resources.__all__)]
ITEMS = [BitmapPut, FileSample, LabelPut, LabelUpdate, SampleCreate, SampleUpdate]
CALLS = (
    {
        f"{cls.__name__}.{name}": call
        for cls in CLASSES
        for name, call in vars(cls).items()
        if inspect.isfunction(call) and not name.startswith("_")
    }
    | {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in (segments_async, images)
        for name in module.__all__
        if inspect.isfunction(getattr(module, name))
    }
    | {"sync.run": sync.run}
)
SAYS_WHAT_IS_RETURNED = re.compile(
    r"(Add|Call|Compare|Create|Derive|Fetch|Get|Iterate|List|Open|Read|Return|Run|Wait)\b"
)
"""The first word of docstrings whose first line says what is returned."""


def described(docstring):
    """The arguments that a docstring lists."""
    section = re.search(r"^Arg(?:ument)?s:\n((?: +.*\n|\n)+)", f"{docstring}\n", re.MULTILINE)
    return set(re.findall(r"^    \**(\w+):", section[1], re.MULTILINE)) if section else set()


def parameters(call):
    return {name for name in inspect.signature(call).parameters if name != "self" and not name.startswith("_")}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name):
    docstring = inspect.getdoc(CALLS[name])
    assert parameters(CALLS[name]) <= described(docstring)
    if inspect.signature(CALLS[name]).return_annotation not in {"None", None}:
        assert "\nReturns:\n" in docstring or SAYS_WHAT_IS_RETURNED.match(docstring)


KEYS = re.compile(r"Unpack\[(?!BulkOptions)(\w+)\]")


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if KEYS.search(str(inspect.signature(call)))])
def test_keys(name):
    """Editors show the docstring as it is written, so it lists the keys that a keyword argument stands for."""
    kind = getattr(models, KEYS.search(str(inspect.signature(CALLS[name])))[1])
    listed = re.search(
        rf"`{kind.__name__}`, explained there: ((?:``\w+``[,.]\s+)*``\w+``)", inspect.getdoc(CALLS[name])
    )
    assert re.findall(r"\w+", listed[1]) == list(kind.__annotations__)


@pytest.mark.parametrize("item", ITEMS)
def test_items(item):
    """`extra`, which `Model` describes, keeps keys that this version does not know."""
    assert described(inspect.getdoc(item)) == parameters(item) - {"extra"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_stray_colon(path):
    """Pyright's language server shows a ``::`` on a line of its own as a colon."""
    assert not re.search(r"^ *::$", path.read_text(encoding="utf-8"), re.MULTILINE)
