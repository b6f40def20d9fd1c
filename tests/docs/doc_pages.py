"""The README and the pages in ``docs/``, and how their Python blocks are run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    """Read a page, named by its path in the project."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[str]:
    """The Python blocks of a page."""
    return BLOCK.findall(text_of(page))


def on_sandbox(text: str) -> str:
    """Put the sandbox's user in place of the one of the pages."""
    return re.sub(r"(?<![a-z])jane(?=[/\"_])", "sandbox", text)


def run_block(page: str, number: int, names: dict[str, Any]) -> None:
    """Run one block as it stands, but on the sandbox's user, with *names* as its globals."""
    exec(compile(on_sandbox(blocks_of(page)[number]), f"{page}, Python block {number}", "exec"), names)
