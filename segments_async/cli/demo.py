"""``segments-async demo``."""

from __future__ import annotations

import sys
from pathlib import Path

from cyclopts import App

from segments_async.cli.exit_statuses import USAGE
from segments_async.cli.options import command_app
from segments_async.cli.statuses import CommandError

app: App = command_app("demo")


@app.default
def demonstrate(folder: Path | None = None, /) -> int:
    """
    Start a sandbox, then upload, label, release, download and verify a dataset on it.

    Args:
        folder: Upload the images in this folder, without labels, instead of handwritten digits.
    """
    if folder is not None and not folder.is_dir():
        raise CommandError(f"not a folder, but a file: {folder}" if folder.exists() else f"no such folder: {folder}")
    print("Starting a sandbox ...", flush=True)
    try:
        from segments_async.cli.demonstration import run
    except ImportError as error:
        print(
            f'the demo needs an extra; install it with: pip install "segments-async[demo]" ({error})', file=sys.stderr
        )
        return USAGE
    return run(folder)
