"""Docstrings of the calls and of the items that users create: each argument, and what is returned."""

from __future__ import annotations

import ast
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

EXTRAS = ["training", "ray", "limits"]
"""Packages whose docstrings are read from their source, as few environments have all libraries that they import."""
SHARED_LIMITER = {"reserve", "give_back", "refused", "learned"}
"""Methods of the protocol, whose docstrings say it for all classes."""
OWN = {"__init__", "merge", "must_stop"}
"""Methods that users do not call: objects come from functions, and the package merges its reports."""
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


def functions_of(package):
    """The exported functions, and the methods of exported classes, with their nodes."""
    files = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((PACKAGE / package).rglob("*.py"))]
    [exported] = [
        set(ast.literal_eval(node.value))
        for file in files
        for node in file.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    for node in (node for file in files for node in file.body if getattr(node, "name", "") in exported):
        methods = node.body if isinstance(node, ast.ClassDef) else []
        for found in [node, *methods]:
            name = getattr(found, "name", "_")
            if not name.startswith("_") and not found.name.startswith("_") and name not in OWN:
                yield pytest.param(found, node, id=f"{package}.{node.name}.{name}")


def is_property_or_overload(node):
    return {"property", "overload"} & set(map(ast.unparse, getattr(node, "decorator_list", ())))


@pytest.mark.parametrize(("node", "owner"), [found for package in EXTRAS for found in functions_of(package)])
def test_extras(node, owner):
    """An imperative line, an example, each argument, what is returned and raised, or the class whose method it is."""
    if is_property_or_overload(node):
        return
    text = ast.get_docstring(node)
    assert re.match(r"[A-Z].*\.(\n\n|$)", text)
    if isinstance(node, ast.ClassDef):
        assert "Example" in text or "Turns" in node.name
        return
    if owner.name in {"RayLimiter", "RedisLimiter"} and node.name in {"aclose", *SHARED_LIMITER}:
        return
    assert "Example" in text or owner.name == "SharedLimiter"
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    assert {name.arg for name in arguments} - {"self", "cls"} <= described(text)
    if node.returns is not None and ast.unparse(node.returns) not in {"None", "NoReturn"}:
        assert "\nReturns:\n" in text
    if any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
        assert "\nRaises:\n" in text
