"""The command line: ``segments-async``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from segments_async._version import __version__
from segments_async.cli import export

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_ERROR = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command and return its exit status.

    Example:
        >>> main(["demo", "no-such-folder"])
        2
    """
    parser = argparse.ArgumentParser(prog="segments-async", description="The async client for Segments.ai.")
    parser.add_argument("--version", action="version", version=f"segments-async {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="upload, label, release and verify a dataset on a local sandbox",
        description="Start a local sandbox, then upload, label, release, download and verify a dataset on it.",
    )
    demo.add_argument(
        "folder", nargs="?", type=Path, help="upload the images in this folder (without labels) instead of digits"
    )
    demo.set_defaults(run=_demo)
    export_parser = commands.add_parser("export", help=export.HELP, description=export.HELP)
    export.add_arguments(export_parser)
    export_parser.set_defaults(run=_export)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return INTERRUPTED


def _demo(options: argparse.Namespace) -> int:
    try:
        from segments_async.cli.demo import run  # noqa: PLC0415 (needs an extra)
    except ImportError as error:
        print(
            f'the demo needs an extra; install it with: pip install "segments-async[demo]" ({error})', file=sys.stderr
        )
        return USAGE_ERROR
    return run(options.folder)


def _export(options: argparse.Namespace) -> int:
    try:
        return export.run(options)
    except ImportError as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
