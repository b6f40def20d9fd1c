"""Layers point one way: what a module imports at run time stands before it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import segments_async

ROOT = Path(segments_async.__file__).parent
LAYERS = [
    ["_version", "errors", "settings", "hooks", "testing"],
    ["models"],
    ["_misfit", "_codegen", "_json", "_converter"],
    ["_wire"],
    ["_transport"],
    ["_clients", "_gate"],
    ["_pool"],
    ["_session"],
    ["_ahead", "_partial", "_storage", "_paging", "_releases"],
    ["_kept_partial"],
    ["_download"],
    ["bulk", "images", "_iterate"],
    ["export"],
    ["resources"],
    ["webhooks", "progress"],
    ["_client"],
    ["__init__"],
    ["sandbox", "fastapi"],
    ["cli"],
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def part_of(path: Path) -> str:
    """The layer's name of a file."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def run_time_imports(tree: ast.Module):
    """Modules of this package that are imported when the code runs, wherever the import stands."""
    for node in tree.body:
        yield from walk(node)


def walk(node):
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "segments_async")
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports hide where they lead"
        if node.module and node.module.partition(".")[0] == "segments_async":
            if node.module == "segments_async":
                yield from (f"segments_async.{alias.name}" for alias in node.names)
            else:
                yield node.module
    for child in ast.iter_child_nodes(node):
        yield from walk(child)


def layer_of_module(name: str) -> str:
    part = name.split(".")[1] if "." in name else "__init__"
    return part if part in RANK else "__init__"


FILES = sorted(ROOT.rglob("*.py"))


def test_every_part_has_a_layer():
    assert {part_of(path) for path in FILES} <= set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    part = part_of(path)
    imports = {layer_of_module(name) for name in run_time_imports(ast.parse(path.read_text()))}
    above = {name for name in imports if RANK[name] > RANK[part]}
    assert above == set()


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) == "sandbox"], ids=lambda path: path.name)
def test_the_sandbox_knows_no_client(path):
    """It was written from the documentation, so that client and service cannot share a mistake."""
    imports = {layer_of_module(name) for name in run_time_imports(ast.parse(path.read_text()))}
    assert imports <= {"sandbox", "_version"}


def test_the_engine_knows_no_endpoint():
    """It is handed an operation."""
    for path in (ROOT / "bulk").glob("*.py"):
        assert "Endpoint" not in path.read_text()


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) == "_wire"], ids=lambda path: path.name)
def test_protocol_rules_do_no_io(path):
    """Neither clock nor loop nor socket."""
    modules = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not modules & {"anyio", "asyncio", "socket", "time", "trio"}
