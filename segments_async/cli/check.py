"""``segments-async check``."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from segments_async.cli import keys
from segments_async.cli.context import ContextArgument
from segments_async.cli.exit_statuses import DONE, FAILED
from segments_async.cli.options import command_app
from segments_async.cli.statuses import CommandError

if TYPE_CHECKING:
    from segments_async import CheckReport

app: App = command_app("check")


@app.default
async def run(*, big: str | None = None, output: Path | None = None, context: ContextArgument) -> int:
    """
    Compare the real service with what this package assumes, in about 90 requests on a dataset that is deleted.

    Prints a line for each fact: `ok`, `DIFF` or `note`. Nothing it writes contains the key or your username.

    Args:
        big: A dataset with more than 1000 samples, as owner/name, which is only read.
        output: The JSON file to attach to a report; by default segments-check-DATE.json in the current folder.
    """
    from segments_async import check

    key = keys.needed_key()
    path = output or Path(f"segments-check-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    if not path.parent.is_dir():
        raise CommandError(f"--output: no such folder: {path.parent}")
    with_signals = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        report = await check(key.value, base_url=keys.base_url(), big=big, on_fact=context.printer.print_fact)
    finally:
        signal.signal(signal.SIGTERM, with_signals)
    report.save(path)
    context.printer.message(f"{report.summary()}; {path}")
    return FAILED if _has_problem(report) else DONE


def _has_problem(report: CheckReport) -> bool:
    return bool(report.differences) or report.left_behind is not None
