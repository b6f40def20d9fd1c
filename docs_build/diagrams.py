"""
Draw the Mermaid diagrams of the built site, so that pages show them without loading a script from another host.

Example:
    ::

        python docs_build/diagrams.py build/site
"""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path

from mermaidx import render

DIAGRAM = re.compile(r'<pre class="diagram"><code>(.*?)</code></pre>', re.DOTALL)


def draw(page: str) -> str:
    """Return the HTML of a page with pictures in place of the texts of its diagrams."""
    number = 0

    def picture(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        svg = render(unescape(found[1])).svg().replace("my-svg", f"diagram-{number}")
        return f'<div class="diagram" role="img">{svg}</div>'

    return DIAGRAM.sub(picture, page)


def main(folder: str) -> None:
    """Draw the diagrams of all pages in *folder*."""
    for path in sorted(Path(folder).rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        if DIAGRAM.search(page):
            path.write_text(draw(page), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
