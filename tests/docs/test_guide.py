"""The Python blocks of the guide work as they stand, and print what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doc_pages import blocks_of

from docs_build.blocks import FILE, PAGES

PROMISE = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_guide(page, run_page, monkeypatch, tmp_path):
    """A comment after a `print` is what it prints; a block that begins with the name of a file is one to import."""
    name = f"docs/{page}.md"
    monkeypatch.syspath_prepend(tmp_path)
    for block in blocks_of(name):
        if found := FILE.match(block):
            Path(found[1]).write_text(block, encoding="utf-8")
    printed = run_page(name)

    for block, lines in zip(blocks_of(name), printed, strict=True):
        for promise in PROMISE.findall(block):
            for line in promise.split(", then "):
                assert line in lines
