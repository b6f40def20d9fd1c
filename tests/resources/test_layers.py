"""
Imports point one way; docs/architecture.md shows the map.

Imports for type checkers count too, because a reader of the importing file must know them too.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import segments_async

ROOT = Path(segments_async.__file__).parent
LAYERS = [
    ["_version", "_counting", "_pickling", "_logging", "_misuse"],
    ["errors"],
    ["_threads", "_validators", "_caller_errors"],
    ["hooks", "settings", "sync"],
    ["sandbox", "testing", "models"],
    ["_serialization", "images"],
    ["_arrow"],
    ["_wire"],
    ["_redis"],
    ["limits", "webhooks"],
    ["_http"],
    ["_transfer", "_streams", "bulk"],
    ["_releases", "progress"],
    ["tables"],
    ["export", "imports"],
    ["resources"],
    ["_check", "_client"],
    ["__init__"],
    ["fastapi", "pointclouds", "pytest_plugin", "ray", "training"],
    ["cli"],
    ["__main__"],
]
"""A top-level module or package imports only those of earlier layers; two of one layer do not import each other."""
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

MAY_USE = {
    "samples": {"assets"},
    "labels": {"assets"},
    "assets": set(),
    "releases": set(),
    "importing": {"assets", "labels", "samples"},
    "datasets": {"importing"},
}
"""The parts of `resources`, and which of the others each may use; what is not listed may use none."""


def top_level_of(path: Path) -> str:
    """The top-level module or package of a file: the first part of its path in `segments_async`."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(ROOT.rglob("*.py"))
MODULES = {module_of(path): path for path in FILES}


def imported_files(path: Path) -> set[Path]:
    """The files of this package that a file imports, wherever in it the import stands and whatever it is for."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {MODULES[alias.name] for alias in node.names if alias.name in MODULES}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            for alias in node.names:
                named = f"{node.module}.{alias.name}"
                target = named if named in MODULES else node.module
                if target in MODULES:
                    found.add(MODULES[target])
    return found - {path}


def top_levels_imported_by(path: Path) -> set[str]:
    return {top_level_of(found) for found in imported_files(path)} - {top_level_of(path)}


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_module_has_a_layer():
    assert {top_level_of(path) for path in FILES} == set(RANK)


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_imports_point_down(path):
    """A module imports only lower layers."""
    name = top_level_of(path)
    upward = {other for other in top_levels_imported_by(path) if RANK[other] >= RANK[name]}
    assert upward == set()


def test_no_two_files_import_each_other():
    """The graph of files has no circle, so that each can be read after those that it imports."""
    left = {path: imported_files(path) for path in FILES if path != ROOT / "__init__.py"}
    while ready := [path for path, imports in left.items() if not imports & left.keys()]:
        for path in ready:
            del left[path]
    assert sorted(map(shown, left)) == []


@pytest.mark.parametrize("path", [path for path in FILES if top_level_of(path) == "resources"], ids=shown)
def test_resources_stand_side_by_side(path):
    """Samples and labels may use assets, imports all three; otherwise no resource imports another."""

    def place(file: Path) -> str:
        return file.relative_to(ROOT / "resources").parts[0].removesuffix(".py")

    if place(path) == "__init__":
        return
    others = {place(found) for found in imported_files(path) if top_level_of(found) == "resources"}
    shared = {"_base", "_operations"}
    assert others - shared - {place(path)} <= MAY_USE.get(place(path), set())


@pytest.mark.parametrize("path", [path for path in FILES if top_level_of(path) == "sandbox"], ids=shown)
def test_the_sandbox_knows_no_client(path):
    """It was written from the documentation, so that client and service cannot share a mistake."""
    assert top_levels_imported_by(path) <= {"_version"}


def test_the_engine_knows_no_endpoint():
    """It is handed an operation."""
    for path in (ROOT / "bulk").glob("*.py"):
        assert "Endpoint" not in path.read_text(encoding="utf-8")


def test_every_endpoint_is_declared_in_one_file():
    """Each route once, in ``_wire/routes.py``; `AsyncSegments.request` makes its own as it goes."""
    declaring = {
        shown(path)
        for path in FILES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if top_level_of(path) != "sandbox"
        and isinstance(node, ast.Assign)
        and ast.unparse(node.value).startswith("Endpoint(")
    }
    assert declaring == {"_wire/routes.py"}


@pytest.mark.parametrize("path", [path for path in FILES if top_level_of(path) == "_wire"], ids=shown)
def test_protocol_rules_do_no_io(path):
    """Neither clock nor loop nor socket."""
    modules = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not modules & {"anyio", "asyncio", "socket", "time", "trio"}
