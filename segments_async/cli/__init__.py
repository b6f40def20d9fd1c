"""
The command line: ``segments-async`` (extra ``cli``).

A command is arguments, one call of the library, and a printer. Each resource has a module here, which is imported only
when one of its commands runs or shows its help; the library itself is imported inside the commands.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from segments_async._version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command and return its exit status.

    Example:
        >>> main(["demo", "no-such-folder"])
        2
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    if tokens == ["--version"]:
        print(f"segments-async {__version__}")
        return 0
    try:
        from segments_async.cli.running import run
    except ImportError as error:
        extra = "demo" if tokens[:1] == ["demo"] else "cli"
        print(f'this needs an extra; install it with: pip install "segments-async[{extra}]" ({error})', file=sys.stderr)
        return USAGE_ERROR
    return run(tokens)
