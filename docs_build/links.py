"""
Check the built site: links and images lead to a file and an anchor of it, and pages load nothing from elsewhere.
What language models are given, ``llms.txt`` and one page of it all, has every page, and no link that leads nowhere.

Example:
    ::

        python docs_build/links.py build/site
"""

from __future__ import annotations

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}
"""Attributes whose address a browser loads without a click."""
LINK = re.compile(r"\]\(<?([^)>\s]+)>?\)")
"""The address of a link in Markdown."""
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


def problems_for_language_models(site: Path) -> list[str]:
    """Describe each page of the site that ``llms.txt`` lacks, and each of its links that leads nowhere."""
    listed = site / "llms.txt"
    if not listed.is_file() or not (site / "llms-full.txt").is_file():
        return [f"{site}: lacks llms.txt or llms-full.txt"]
    links = {unquote(urlsplit(link).path) for link in LINK.findall(listed.read_text(encoding="utf-8"))}
    root = min(links, key=len, default="/").rpartition("/")[0]
    named = {(site / link.removeprefix(root).lstrip("/")).resolve() for link in links}
    return [
        *(f"{listed}: {page} leads nowhere" for page in sorted(named) if not page.is_file()),
        *(f"{listed}: lacks {page}" for page in sorted(site.rglob("index.md")) if page not in named),
        *(f"{page}: has no text for language models" for page in sorted(site.rglob("index.html")) if _is_bare(page)),
    ]


def _is_bare(page: Path) -> bool:
    return not page.with_suffix(".md").is_file()


def main(folder: str) -> int:
    """Print the problems of the site in *folder*; return 1 if there are any."""
    site = Path(folder).resolve()
    pages = [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
    problems = [problem for path in pages for problem in problems_of(path, site)]
    problems += problems_for_language_models(site)
    print(f"{len(pages)} pages, {len(problems)} broken links", *problems, sep="\n")
    return 1 if problems or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
