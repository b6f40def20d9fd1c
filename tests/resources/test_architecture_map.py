"""The map in docs/architecture.md shows the rooms and their imports as they are."""

from __future__ import annotations

import re
from pathlib import Path

from test_layers import FILES, LAYERS, RANK, room_of, rooms_imported_by

PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
EDGE = re.compile(r"^ +(\w+) --> (\w+)$", re.MULTILINE)
[MAP] = re.findall(r"^```mermaid\n(flowchart TD\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EDGES = set(EDGE.findall(MAP))


def reachable(room):
    """The rooms that the arrows lead to, directly or through others."""
    found, left = set(), [room]
    while left:
        current = left.pop()
        below = {target for source, target in EDGES if source == current} - found
        found |= below
        left += below
    return found


def test_every_line_is_an_arrow():
    """No line of the diagram escapes the pattern above."""
    assert len(MAP.splitlines()) == 1 + len(EDGES)


def test_every_room_is_on_the_map():
    assert {room for edge in EDGES for room in edge} == {room for layer in LAYERS for room in layer}


def test_every_arrow_points_down():
    assert [(a, b) for a, b in sorted(EDGES) if RANK[a] <= RANK[b]] == []


def test_arrows_are_imports():
    """An arrow without an import would mislead; an import that no arrow implies would be missing from the map."""
    imports = {(room_of(path), room) for path in FILES for room in rooms_imported_by(path)}
    assert imports >= EDGES
    assert {(a, b) for a, b in imports if b not in reachable(a)} == set()


def test_every_room_has_a_purpose():
    """The table below the map names each room once."""
    table = PAGE.partition("| Room | Purpose |")[2].partition("\n\n")[0]
    named = [room for line in table.splitlines()[2:] for room in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted({room for layer in LAYERS for room in layer} - {"__init__", "_version"})
