"""
Write the Python blocks of the guide to files, one for each page, for type checkers.

A block that begins with ``# name.py`` is a file of its own.

Example:
    ::

        python docs_build/blocks.py build/blocks
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\b")
PAGES = (
    "index",
    "install",
    "quickstart",
    "datasets",
    "samples",
    "labels",
    "releases",
    "errors",
    "environment",
    "security",
    "migrating",
)


def files_of(page: str) -> dict[str, str]:
    """Return the contents of the files of a page, by name; lines keep their numbers."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    lines: dict[str, list[str]] = {}
    for found in BLOCK.finditer(text):
        named = FILE.match(found[1])
        written = lines.setdefault(named[1] if named else f"page_{page}.py", [])
        start = text.count("\n", 0, found.start(1))
        written += [""] * (start - len(written)) + found[1].splitlines()
    return {name: "\n".join(written) + "\n" for name, written in lines.items()}


def main(folder: str, *pages: str) -> None:
    """Write the blocks of *pages*, by default of the guide, to *folder*."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for page in pages or PAGES:
        for name, content in files_of(page).items():
            (Path(folder) / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
