"""
Errors for exceptions that the caller's own code raises: values, files and functions that are passed to a call.

Such an exception can be of any class, also one of this package, which then says nothing about the call. So each is
wrapped in an `InputError` whose ``__cause__`` is the original.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXT = 300
"""Maximum characters of the message of an exception that an error repeats."""


@contextmanager
def caller_code(path: str = "") -> Iterator[None]:
    """
    Run code of the caller: an exception that it raises becomes an `InputError`; an `InputError` stays as it is.

    Args:
        path: Location of the value among the arguments.
    """
    try:
        yield
    except Exception as error:
        if type(error) is InputError:
            raise
        raise caller_error(error, path) from error


def caller_error(error: Exception, path: str = "") -> InputError:
    """Return an `InputError` for an exception that code of the caller raised; set it as the ``__cause__``."""
    wrapped = InputError(f"raised {describe(error)}", path=path)
    if (place := _place_of(error)) is not None:
        wrapped.add_note(place)
    wrapped.__cause__ = error
    return wrapped


def describe(error: BaseException) -> str:
    """Return the class and the message of an exception in one line; only the class if the message cannot be read."""
    try:
        text = " ".join(str.split(str(error)))
    except Exception:  # noqa: BLE001 (raised by any class)
        text = ""
    name = type(error).__name__
    if not text:
        return name
    return f"{name}: {text if len(text) <= MAX_TEXT else f'{text[: MAX_TEXT - 3]}...'}"


def _place_of(error: BaseException) -> str | None:
    """Return where an exception was raised, as its traceback is not kept; None if that is in this package."""
    traceback = error.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] == __name__.partition(".")[0]:
        return None
    return f"raised in {code.co_name} ({PurePath(code.co_filename).name}, line {traceback.tb_lineno})"
