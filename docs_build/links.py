"""
Check the built site: links and images lead to a file and an anchor of it, and pages load nothing from elsewhere.

Example:
    ::

        python docs_build/links.py build/site
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}
"""Attributes whose address a browser loads without a click."""
POINTERS = {"alternate", "canonical", "next", "prev", "describedby"}
"""Kinds of ``<link>`` that a browser does not load."""


class Page(HTMLParser):
    """The anchors and the addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = {""}
        self.links: set[str] = set()
        self.loaded: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchor and the address of an element."""
        named = {name: value or "" for name, value in attrs}
        self.anchors.update(named[name] for name in ("id", "name") if name in named)
        for name in ("href", "src"):
            if name in named:
                self.links.add(named[name])
                if (tag, name) in LOADED and named.get("rel") not in POINTERS:
                    self.loaded.add(named[name])


@cache
def read(path: Path) -> Page:
    """Parse a page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def problems_of(path: Path, site: Path) -> list[str]:
    """Describe each address of the page at *path* that leads nowhere, or loads something from another host."""
    page = read(path)
    loaded = [f"{path}: loads {address}" for address in page.loaded if urlsplit(address).netloc]
    return loaded + [f"{path}: {link} leads nowhere" for link in page.links if not _leads_somewhere(link, path, site)]


def _leads_somewhere(link: str, path: Path, site: Path) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    folder = site if parts.path.startswith("/") else path.parent
    target = (folder / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_relative_to(site) or not target.is_file():
        return False
    return target.suffix != ".html" or unquote(parts.fragment) in read(target).anchors


def main(folder: str) -> int:
    """Print the problems of the site in *folder*; return 1 if there are any."""
    site = Path(folder).resolve()
    pages = [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
    problems = [problem for path in pages for problem in problems_of(path, site)]
    print(f"{len(pages)} pages, {len(problems)} broken links", *problems, sep="\n")
    return 1 if problems or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
