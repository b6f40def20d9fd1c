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
    Let httpx be imported as where click, Rich and Pygments are not installed.

    It imports them for the function of its command, which takes longer than all else. Only ``httpx.main`` differs after
    this, and not in the process of the command.
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
