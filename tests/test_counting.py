"""Counts in messages: "1 item", never "1 items"."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import segments_async
from segments_async._counting import counted

ROOT = Path(segments_async.__file__).parent
NEVER_ONE = {"imports/raster.py"}
"""Where a count is never one."""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, "item"), "0 items"),
        ((1, "item"), "1 item"),
        ((2, "item"), "2 items"),
        ((1200, "more problem"), "1,200 more problems"),
        ((1, "category", "categories"), "1 category"),
        ((3, "category", "categories"), "3 categories"),
    ],
)
def test_counted(arguments, expected):
    assert counted(*arguments) == expected


def is_count(value):
    """Whether an f-string writes *value* as a count: with a separator for thousands, or it is a length."""
    spec = value.format_spec is not None and ast.unparse(value.format_spec)
    names = [node.id for node in ast.walk(value.value) if isinstance(node, ast.Name)]
    is_constant = bool(names) and all(name.isupper() for name in names)
    is_length = isinstance(value.value, ast.Call) and getattr(value.value.func, "id", "") == "len"
    return not is_constant and (is_length or (spec and "," in spec))


def plurals_in(tree):
    """Yield each plural that directly follows a count in an f-string."""
    for text in ast.walk(tree):
        if isinstance(text, ast.JoinedStr):
            for value, words in zip(text.values, text.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(words, ast.Constant) and is_count(value):
                    yield from ((text.lineno, noun) for noun in re.findall(r"^ (?:more )?([a-z]+s)\b", words.value))


def test_every_message_counts_in_one_place():
    """A count that can be one is worded by `counted`."""
    found = {
        f"{path.relative_to(ROOT)}:{line}": noun
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT).as_posix() not in NEVER_ONE
        for line, noun in plurals_in(ast.parse(path.read_text("utf-8")))
    }

    assert found == {}
