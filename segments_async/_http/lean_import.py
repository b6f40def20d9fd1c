"""Import httpx without the modules of its command line."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMAND = "httpx._main"


@contextmanager
def without_command_line() -> Iterator[None]:
    """
    Import httpx as if click, Rich and Pygments were not installed.

    httpx imports them for its command line, which takes longer than the rest of httpx. Only ``httpx.main`` is then
    different, except in a process that runs that command line.
    """
    if "httpx" in sys.modules:
        yield
        return
    sys.modules[_COMMAND] = None  # type: ignore[assignment]  # importing it raises ImportError
    try:
        yield
    finally:
        if sys.modules.get(_COMMAND, sys) is None:
            del sys.modules[_COMMAND]
