"""Ray itself: whether it is installed, whether its version was tested, and the errors of its workers."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

try:
    import ray
    import ray.data
    from ray.data.context import DEFAULT_EXECUTION_NO_PROGRESS_TIMEOUT_S
except ImportError as _error:
    raise ImportError(
        f'segments_async.ray needs an extra: pip install "segments-async[ray]" ({_error})', name=_error.name
    ) from _error

from segments_async.errors import SegmentsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ray.data import DataContext

TESTED = ("2.60",)
"""The minor versions of Ray that the tests run with."""


def check_version(version: str = ray.__version__) -> None:
    """Warn if the tests do not run with this version of Ray."""
    if not version.startswith(tuple(f"{minor}." for minor in TESTED)):
        warnings.warn(
            f"segments_async.ray was tested with Ray {', '.join(TESTED)}, not with {version}", UserWarning, stacklevel=3
        )


def run_on_worker(function: Callable[..., Any], *arguments: Any, runtime_env: Mapping[str, Any] | None = None) -> Any:
    """Call a function on a worker, whose environment has the API key, and wait for its result."""
    with errors_of_workers():
        return ray.get(ray.remote(num_cpus=0, runtime_env=runtime_env)(function).remote(*arguments))


@contextmanager
def errors_of_workers() -> Iterator[None]:
    """Raise the `SegmentsError` of a worker instead of the error of Ray that contains it."""
    try:
        yield
    except SegmentsError as error:
        raise _original(error) or error from error.__cause__
    except Exception as error:
        found = _original(error)
        if found is None:
            raise
        raise found from error


def lift_time_limit(context: DataContext) -> None:
    """
    Let executions take as long as the service makes them wait.

    Ray ends one in which no block is finished for half an hour; at the service's rate limit, a large block takes hours.
    A limit that the user set remains.
    """
    if context.execution_no_progress_timeout_s == DEFAULT_EXECUTION_NO_PROGRESS_TIMEOUT_S:
        context.execution_no_progress_timeout_s = -1


@contextmanager
def without_time_limit(context: DataContext) -> Iterator[None]:
    """Lift the time limit of one execution."""
    limit = context.execution_no_progress_timeout_s
    lift_time_limit(context)
    try:
        yield
    finally:
        context.execution_no_progress_timeout_s = limit


def _original(error: BaseException | None) -> SegmentsError | None:
    """Find the error that a worker raised; Ray's own class of it is a `SegmentsError` too, with another text."""
    found = None
    while error is not None:
        if isinstance(error, SegmentsError) and not hasattr(error, "as_instanceof_cause"):
            return error
        error = getattr(error, "cause", None) or error.__cause__
    return found
