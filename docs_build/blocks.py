"""
Write the Python blocks of the README and of the pages to files, for type checkers.

The blocks of a page are one file, as a reader copies them one after the other; those of the README are a file each. A
block that begins with ``# name.py`` is a file of its own.

Example:
    ::

        python docs_build/blocks.py build/blocks
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\b")
PARTS = {
    "contributing": "its blocks are parts of files of the package; tests/test_contributing.py adds them to a copy",
}
"""Pages that are not written, each with the reason."""
UNTYPED = re.compile(r"^import (laspy|pandas|pyarrow)\b", re.MULTILINE)
"""Libraries without types: pyright does not report that their values are unknown. mypy calls those Any."""
ALLOW_UNKNOWN = (
    "# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, "
    "reportUnknownParameterType=false, reportUnknownArgumentType=false\n"
)


def pages() -> list[str]:
    """Name the README and the pages that have blocks."""
    found = [page.stem for page in sorted((ROOT / "docs").glob("*.md")) if BLOCK.search(page.read_text("utf-8"))]
    return [page for page in ["README", *found] if page not in PARTS]


def path_of(page: str) -> Path:
    """Return the path of a page."""
    return ROOT / ("README.md" if page == "README" else f"docs/{page}.md")


def files_of(page: str) -> dict[str, str]:
    """Return the contents of the files of a page, by name; lines keep their numbers."""
    text = path_of(page).read_text(encoding="utf-8")
    lines: dict[str, list[str]] = {}
    for number, found in enumerate(BLOCK.finditer(text), 1):
        named = FILE.match(found[1])
        own = f"readme_{number}.py" if page == "README" else f"page_{page}.py"
        written = lines.setdefault(named[1] if named else own, [])
        start = text.count("\n", 0, found.start(1))
        written += [""] * (start - len(written)) + found[1].splitlines()
    files = {name: "\n".join(written) + "\n" for name, written in lines.items()}
    return {name: text + (ALLOW_UNKNOWN if UNTYPED.search(text) else "") for name, text in files.items()}


def main(folder: str, *chosen: str) -> None:
    """Write the blocks of the *chosen* pages, by default of all, to *folder*."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for page in chosen or pages():
        for name, content in files_of(page).items():
            (Path(folder) / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
