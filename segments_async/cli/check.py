"""``segments-async check``."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from cyclopts import App, Parameter

from segments_async.cli import keys
from segments_async.cli.context import ContextArgument
from segments_async.cli.statuses import DONE, FAILED, KEY_REFUSED, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async import CheckReport, Fact
    from segments_async.cli.printing import Printer

app = App(
    name="check",
    help="Compare the real service with what this package assumes.",
    default_parameter=Parameter(negative=""),
)


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

    key = keys.find_key()
    if key is None:
        raise CommandError(
            f"no API key for {keys.base_url()}",
            status=KEY_REFUSED,
            hint="run `segments-async login`, or set SEGMENTS_API_KEY; keys are at https://segments.ai/account",
        )
    path = output or Path(f"segments-check-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    if not path.parent.is_dir():
        raise CommandError(f"--output: no such folder: {path.parent}")
    with_signals = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        report = await check(key.value, base_url=keys.base_url(), big=big, on_fact=_printer_of_facts(context.printer))
    finally:
        signal.signal(signal.SIGTERM, with_signals)
    report.save(path)
    context.printer.message(f"{report.summary()}; {path}")
    return FAILED if _has_problem(report) else DONE


def _printer_of_facts(printer: Printer) -> Callable[[Fact], None]:
    if printer.json:
        return lambda fact: printer.print_object(attrs.asdict(fact))
    return lambda fact: printer.print_text(str(fact))


def _has_problem(report: CheckReport) -> bool:
    return bool(report.differences) or report.left_behind is not None
