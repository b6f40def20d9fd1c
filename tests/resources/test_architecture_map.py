"""The map in docs/architecture.md shows the layers and their imports as they are."""

from __future__ import annotations

import re
from pathlib import Path

from test_layers import FILES, LAYERS, RANK, top_level_of, top_levels_imported_by

PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
EDGE = re.compile(r"^ +(\w+) --> (\w+)$", re.MULTILINE)
[MAP] = re.findall(r"^```mermaid\n(flowchart TD\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EDGES = set(EDGE.findall(MAP))


def reachable(name):
    """The modules that the arrows lead to, directly or through others."""
    found, left = set(), [name]
    while left:
        current = left.pop()
        below = {target for source, target in EDGES if source == current} - found
        found |= below
        left += below
    return found


def test_every_line_is_an_arrow():
    """No line of the diagram escapes the pattern above."""
    assert len(MAP.splitlines()) == 1 + len(EDGES)


def test_every_module_is_on_the_map():
    assert {name for edge in EDGES for name in edge} == {name for layer in LAYERS for name in layer}


def test_every_arrow_points_down():
    assert [(a, b) for a, b in sorted(EDGES) if RANK[a] <= RANK[b]] == []


def test_arrows_are_imports():
    """An arrow without an import would mislead; an import that no arrow implies would be missing from the map."""
    imports = {(top_level_of(path), name) for path in FILES for name in top_levels_imported_by(path)}
    assert imports >= EDGES
    assert {(a, b) for a, b in imports if b not in reachable(a)} == set()


def test_every_module_has_a_purpose():
    """The table below the map names each module once."""
    table = PAGE.partition("| Module or package | Purpose |")[2].partition("\n\n")[0]
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted({name for layer in LAYERS for name in layer} - {"__init__", "_version"})
