"""
Make the links of what language models are given relative, where the address of the site is not known (``SITE_URL``).

Example:
    ::

        python docs_build/relative_links.py build/site
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

UNKNOWN_SITE = "http://localhost:8000/"
"""The address in ``mkdocs.yml`` where there is no `SITE_URL`."""
LINK = re.compile(rf"\]\(<{re.escape(UNKNOWN_SITE)}([^>]*)>\)")


def relative(text: str, depth: int) -> str:
    """
    Return Markdown whose links into the site are relative.

    Example:
        >>> relative("[labels](<http://localhost:8000/labels/#cuboids>)", 1)
        '[labels](<../labels/#cuboids>)'

    Args:
        text: The Markdown.
        depth: How many folders of the site its file is in.
    """
    return LINK.sub(lambda found: f"](<{'../' * depth or './'}{found[1]}>)", text)


def main(folder: str) -> None:
    """Rewrite the Markdown of the site in *folder*, unless it has an address."""
    if os.environ.get("SITE_URL"):
        return
    site = Path(folder)
    for path in (*site.rglob("*.md"), *site.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        path.write_text(relative(text, len(path.relative_to(site).parts) - 1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
