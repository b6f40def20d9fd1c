"""
The command line: ``segments-async`` (extra ``cli``).

A command is arguments, one call of the library, and a printer. Each resource has a module here, which is imported only
when one of its commands runs or shows its help; the library itself is imported inside the commands.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from segments_async._version import __version__
from segments_async.cli.exit_statuses import DONE, USAGE
from segments_async.cli.streams import run_with_streams

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command and return its exit status.

    Example:
        >>> main(["demo", "no-such-folder"])
        2
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    return run_with_streams(lambda: _run(tokens))


def _run(tokens: list[str]) -> int:
    if tokens == ["--version"]:
        print(f"segments-async {__version__}")
        return DONE
    if not tokens or tokens in (["--help"], ["-h"], ["help"]):
        return _print_help(DONE if tokens else USAGE)
    if tokens[0] == "help":
        tokens = [*tokens[1:], "--help"]
    try:
        from segments_async.cli.running import run
    except ImportError as error:
        extra = "demo" if tokens[0] == "demo" else "cli"
        print(f'this needs an extra; install it with: pip install "segments-async[{extra}]" ({error})', file=sys.stderr)
        return USAGE
    return run(tokens)


def _print_help(status: int) -> int:
    from segments_async.cli.help_page import print_root_page

    print_root_page(sys.stderr if status else sys.stdout)
    return status
