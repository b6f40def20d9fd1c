"""The standard streams: closed ones, their encoding, and readers that leave."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segments_async.cli.exit_statuses import BROKEN_PIPE, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

closed: set[str] = set()
"""The names of the standard streams that the shell has closed, as with ``<&-``."""


class OutputError(OSError):
    """Standard output cannot be written, as its disk is full or it is closed."""


def run_with_streams(command: Callable[[], int]) -> int:
    """Run *command*, write all of its output, and return its exit status, or that of what prevented it."""
    _open_closed_streams()
    _use_utf8()
    status = FAILED
    try:
        status = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return leave_pipe()
    except OSError as error:  # a command returns its status for any other error than that its output is not written
        _discard_output()
        print(f"error: cannot write to standard output: {error.strerror}", file=sys.stderr)
        return status or FAILED
    return status


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first Ctrl-C end a read that blocks the event loop, whose own handler waits until the read returns."""
    handler = signal.getsignal(signal.SIGINT)
    if handler == signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


@contextmanager
def output() -> Iterator[None]:
    """Raise `OutputError` where standard output cannot be written, so that it is named."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        from segments_async.errors import SegmentsError

        if isinstance(error, SegmentsError):  # a time-out of a call is an OSError too
            raise
        raise OutputError(error.errno, error.strerror) from error


def leave_pipe() -> int:
    """Return the status of a command whose output is no longer read."""
    _discard_output()
    return BROKEN_PIPE


def _discard_output() -> None:
    """Keep Python from writing the output again when it exits, and from complaining that it cannot."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (not a path)
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """Put the null device in the place of a stream that the shell closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            closed.add(name)
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (open until the end)


def _use_utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
