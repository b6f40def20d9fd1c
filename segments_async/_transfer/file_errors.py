"""Errors of files on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._caller_errors import describe
from segments_async._wire.shortages import shortage_advice, shortage_code
from segments_async.errors import InputError, OutOfResourcesError

if TYPE_CHECKING:
    from pathlib import Path


def file_error(error: Exception, problem: str, file: Path | str, path: str) -> InputError | OutOfResourcesError:
    """
    Return the error for a file that cannot be read or written; its ``__cause__`` is *error*.

    Args:
        error: The failure.
        problem: What failed, such as ``cannot be read``.
        file: The file; empty if it has no name.
        path: The name of the argument.
    """
    reason = getattr(error, "strerror", None) or (str(error) if isinstance(error, OSError) else describe(error))
    text = f"{problem} ({reason}){f': {file}' if file else ''}"
    code = shortage_code(error)
    wrapped: InputError | OutOfResourcesError = (
        InputError(text, path=path)
        if code is None
        else OutOfResourcesError(f"{text}; {shortage_advice(code)}", path=path, errno=code)
    )
    wrapped.__cause__ = error
    return wrapped
