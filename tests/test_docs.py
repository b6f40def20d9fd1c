"""Links in the documentation lead somewhere, and commands in it exist."""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
NAMED_FILE = re.compile(r"`((?:\w+/)+\w+\.py|tests(?:/\w+)+/?)`")
PLACES = (ROOT, ROOT / "segments_async")
"""Pages name files of the package without its own name: `_wire/routes.py`."""


def name_of(page):
    return str(page.relative_to(ROOT))


def anchors(page):
    """The anchors that GitHub gives to the headings of a page."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_in_reference(page, name):
    """Whether the site shows the object *name* on a page of the reference; `make docs` checks its anchor."""
    shown = re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return any(name == known or name.startswith(f"{known}.") for known in shown) and exists(name)


def exists(name):
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    """Each link to a file of the repository, and to a heading in it."""
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path).resolve()
        if not target.exists() or (anchor and anchor not in anchors(target) and not is_in_reference(target, anchor)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES[2:], ids=name_of)
def test_named_files_exist(page):
    """A page names no module, test or folder of tests that has moved."""
    named = NAMED_FILE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    assert [name for name in named if not any((place / name).exists() for place in PLACES)] == []


@pytest.mark.parametrize("page", PAGES[2:], ids=name_of)
def test_the_readme_links_every_page(page):
    assert f"(docs/{page.name})" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page):
    """What a page says to `make` is in the Makefile."""
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert set(re.findall(r"\bmake ([a-z-]+)`", page.read_text(encoding="utf-8"))) <= targets
