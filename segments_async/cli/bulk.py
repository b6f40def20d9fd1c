"""Bulk commands: their options, what they print while they run, and how they end."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from attrs import define, field, frozen
from cyclopts import Parameter

from segments_async.cli.exit_statuses import DONE, FAILED, NOT_FOUND
from segments_async.cli.lines import FAILURE, STDIN, BadLine, is_source
from segments_async.cli.printing import json_line
from segments_async.cli.statuses import CommandError, common_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import BinaryIO

    from segments_async import AnyOutcome, BulkReport
    from segments_async.cli.context import Context
    from segments_async.cli.lines import LineNumbers

_STOPS = {"max_failures": "stopped: more than {bulk.max_failures} failed", "checkpoint": "stopped: {error}"}
"""What is printed if a run was stopped, unless it is among the failures already."""
MAX_GROUPS = 5
"""Kinds of failures that are printed at the end; all are in the file of ``--failures``."""


@frozen(kw_only=True)
class Bulk:
    """The options of bulk commands."""

    checkpoint: Annotated[
        Path | None,
        Parameter(help="Record finished items in this file; the same command continues where it ended."),
    ] = None
    failures: Annotated[
        Path | None, Parameter(help="Write what failed to this file, as JSON Lines that the same command reads.")
    ] = None
    concurrency: Annotated[int | None, Parameter(help="Requests in flight at most.")] = None
    max_failures: Annotated[int | None, Parameter(help="Stop when more items than this have failed.")] = None
    dry_run: Annotated[bool, Parameter(help="Check everything and say what would be sent, but send nothing.")] = False


@frozen(kw_only=True)
class BulkCreate(Bulk):
    """The options of bulk commands that create samples."""

    if_exists: Annotated[
        Literal["return", "error", "update"],
        Parameter(help="If a sample of this name exists: leave it, fail, or update it to what is sent."),
    ] = "return"


BulkArgument = Annotated[Bulk, Parameter(name="*")]
BulkCreateArgument = Annotated[BulkCreate, Parameter(name="*")]


async def run_bulk(
    context: Context,
    bulk: Bulk | None,
    call: Callable[..., Awaitable[BulkReport[Any]]],
    *,
    description: str,
    source: str | None = None,
    show: Callable[[AnyOutcome[Any]], Any] | None = None,
    line_of: Callable[[Any], dict[str, Any]] | None = None,
    lines: LineNumbers | None = None,
    deletes: bool = False,
) -> int:
    """
    Run a bulk call of the library, print how it ends, and return the exit status.

    Args:
        context: Where to print.
        bulk: The options that were given.
        call: Starts the run; it is passed the keyword arguments of a bulk call.
        description: Text before the progress bar.
        source: Where the items are read from, if from a file or standard input.
        show: Returns what is printed for an outcome that succeeded; by default, ``--json`` prints the outcome.
        line_of: Returns the line of an item in the file of ``--failures``; by default the item, or its uuid.
        lines: On which line of the input each item is, if it is read from one.
        deletes: Whether the service says how many items of a request it has deleted.

    Raises:
        SegmentsError: The run ended because of an error that concerns all items.
    """
    from segments_async import BulkReport

    bulk = bulk or Bulk()
    _check_written(bulk)
    run = _Run(context, bulk, BulkReport(keep="failures"), show, line_of or _line_of, lines, description)
    with _failures_file(run.bulk, source) as run.file:
        try:
            report = await call(
                keep="failures",
                on_outcome=run.note,
                progress=context.printer.progress(description),
                checkpoint=run.bulk.checkpoint,
                concurrency=run.bulk.concurrency,
                max_failures=run.bulk.max_failures,
                dry_run=run.bulk.dry_run,
                **({"if_exists": run.bulk.if_exists} if isinstance(run.bulk, BulkCreate) else {}),
            )
        except BaseException as error:
            if run.report.total or not isinstance(error, Exception):
                run.print_end(error, error)
            raise
    if deletes:
        run.note_deleted(report)
    return run.end(_stopped(report))


@define
class _Run:
    """A bulk run, as the command line sees it."""

    context: Context
    bulk: Bulk
    report: BulkReport[Any]
    show: Callable[[AnyOutcome[Any]], Any] | None
    line_of: Callable[[Any], dict[str, Any]]
    lines: LineNumbers | None
    description: str
    file: BinaryIO | None = field(default=None, init=False)
    not_found: int = field(default=0, init=False)
    """Of the items that are done, those that were not there to be deleted; the service does not say which."""

    def note_deleted(self, report: BulkReport[Any]) -> None:
        """Count what was not there; after a lost response it may have been deleted by the first request."""
        if not report.retries and not self.bulk.dry_run:
            self.not_found = self.report.counts["done"] - report.deleted_count

    def note(self, outcome: AnyOutcome[Any]) -> None:
        """Count an outcome, and write it where it belongs."""
        self.report.add(outcome)
        if not outcome.succeeded and self.file is not None:
            self._write_failure(self.file, outcome)
        shown = self._shown(outcome)
        if shown is not None:
            self.context.printer.print_line(shown)

    def _write_failure(self, file: BinaryIO, outcome: AnyOutcome[Any]) -> None:
        try:
            file.write(json_line(self._failure(outcome)).encode())
        except OSError as error:
            problem = f"--failures: cannot write {self.bulk.failures}: {error.strerror}"
            raise CommandError(problem, status=FAILED) from error

    def _shown(self, outcome: AnyOutcome[Any]) -> Any:
        if self.show is not None and outcome.succeeded:
            return self.show(outcome)
        return self._as_json(outcome) if self.context.printer.json and self.show is None else None

    def _failure(self, outcome: AnyOutcome[Any]) -> dict[str, Any]:
        """Return the line of a failed item: the item, so that it can be read again, and what happened."""
        error = None if outcome.error is None else self._problem(outcome)
        failure: dict[str, Any] = {"status": outcome.status, "error": error, "retryable": outcome.retryable}
        if isinstance(outcome.item, BadLine):
            return {FAILURE: {**self._place(outcome), "text": outcome.item.text, **failure}}
        return {**self.line_of(outcome.item), FAILURE: {**self._place(outcome), **failure}}

    def _as_json(self, outcome: AnyOutcome[Any]) -> dict[str, Any]:
        line: dict[str, Any] = {"key": outcome.key, "uuid": outcome.uuid, "status": outcome.status}
        if outcome.error is not None:
            line |= {**self._place(outcome), "error": self._problem(outcome)}
        return line

    def _place(self, outcome: AnyOutcome[Any]) -> dict[str, int]:
        return {"item": outcome.index} if self.lines is None else {"line": self.lines.of(outcome.index)}

    def _problem(self, outcome: AnyOutcome[Any]) -> str:
        """Return the message of an error, without the position of the item if its line is known."""
        if isinstance(outcome.item, BadLine):
            return outcome.item.problem
        text = self.context.worded(str(outcome.error))
        return text if self.lines is None else re.sub(rf"^\w+\[{outcome.index}\](\.|: )?", "", text)

    def _place_and_problem(self, outcome: AnyOutcome[Any], raised: BaseException | None) -> str:
        """Return where an error happened, and its message unless it is that of *raised*."""
        where = outcome.key if self.lines is None else f"line {self.lines.of(outcome.index)}"
        problem = None if outcome.error is raised else self._problem(outcome)
        return ": ".join(filter(None, (where, problem)))

    def end(self, stopped: BulkReport[Any] | None) -> int:
        """
        Print how the run ended, and return the exit status; *stopped* is the report of a run that was stopped.

        Raises:
            SegmentsError: It concerns all items, such as a dataset that does not exist.
        """
        shared = self._shared_error()
        self.print_end(stopped, shared)
        if shared is not None:
            raise shared
        unsent = 0 if self.bulk.dry_run else self.report.unsent
        if self.not_found:
            return NOT_FOUND if self.not_found == self.report.total else FAILED
        return FAILED if self.report.failures or unsent or stopped is not None else DONE

    def _shared_error(self) -> BaseException | None:
        """Return the first error if nothing succeeded and all errors have its exit status, other than 1."""
        errors = [outcome.error for outcome in self.report.failures]
        if not errors or self.report.succeeded or common_status(errors) == FAILED:
            return None
        return errors[0]

    def print_end(self, stop: BaseException | BulkReport[Any] | None, raised: BaseException | None) -> None:
        """
        Print the failures by kind, the counts, what is left after a *stop*, and how to go on.

        Args:
            stop: What ended the run before its input did.
            raised: The error that the command ends with, so that its message is printed once.
        """
        from segments_async import BulkReport

        printer = self.context.printer
        for outcomes in list(self.report.error_groups.values())[:MAX_GROUPS]:
            text = self._place_and_problem(outcomes[0], raised)
            if text and (len(outcomes) > 1 or outcomes[0].error is not raised or self.lines is not None):
                words = "1 failed:" if len(outcomes) == 1 else f"{len(outcomes):,} failed, such as"
                printer.message(f"{words} {text}")
        if isinstance(stop, BulkReport) and (reason := _STOPS.get(stop.stopped or "")):
            printer.message(reason.format(bulk=self.bulk, error=stop.as_error().__cause__))
        printer.message(self._counts("nothing to do" if stop is None else "nothing was sent"))
        if stop is not None and (unread := self._not_read()):
            printer.message(unread)
        may_go_on = stop is not None or (self.report.unsent and not self.bulk.dry_run)
        if may_go_on and (self.report.succeeded or getattr(stop, "stopped", None) != "fatal"):
            printer.message(self._how_to_go_on())

    def _counts(self, nothing: str) -> str:
        numbers = self.report.counts - Counter(done=self.not_found) + Counter({"not found": self.not_found})
        counts = ", ".join(f"{number:,} {status}" for status, number in sorted(numbers.items()))
        if self.bulk.dry_run:
            counts = counts.replace("unsent", "would be sent")
        return f"{counts or nothing}{'; nothing was sent' if counts and self.bulk.dry_run else ''}"

    def _not_read(self) -> str:
        """Say what the counts leave out, since nobody knows how much it is."""
        if self.lines is not None:
            return "" if self.lines.ended else f"not read: anything after line {self.lines.last:,} of the input"
        return "not counted: what was not reached" if self.description == "import" else ""

    def _how_to_go_on(self) -> str:
        if self.bulk.checkpoint is not None:
            return f"to go on, run the same command again: {self.bulk.checkpoint} records what is done"
        return "with --checkpoint FILE, the same command would continue where it ended"


def _stopped(report: Any) -> BulkReport[Any] | None:
    """Return the report of the run, or of the part of an import, that was stopped before its input ended."""
    parts = [report] if hasattr(report, "stopped") else [report.samples, report.labels]
    return next((part for part in parts if part.stopped is not None), None)


def _check_written(bulk: Bulk) -> None:
    for option, path in (("--checkpoint", bulk.checkpoint), ("--failures", bulk.failures)):
        if str(path) == STDIN:
            raise CommandError(f"{option}: expected a file to write to, got -")


def _failures_file(bulk: Bulk, source: str | None) -> Any:
    """Open the file of ``--failures``, before anything is sent; a dry run writes none."""
    path = bulk.failures
    if path is None:
        return nullcontext()
    if source is not None and is_source(path, source):
        raise CommandError(f"--failures: {path} is the input, and would be overwritten")
    if bulk.dry_run:
        return nullcontext()
    try:
        return path.open("wb", buffering=0)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise CommandError(f"--failures: cannot write {path}: {problem}") from error


def _line_of(item: Any) -> dict[str, Any]:
    return item if isinstance(item, dict) else {"uuid": str(item)}
