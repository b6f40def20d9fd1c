"""The options of every bulk call."""

from __future__ import annotations

import os
from collections.abc import Callable  # noqa: TC003 (a TypedDict is read at run time)
from inspect import iscoroutinefunction
from typing import Any, Literal, Self, TypedDict

import attrs
from attrs import field, frozen

from segments_async._wire.arguments import check_keys
from segments_async.bulk.report import Progress  # noqa: TC001 (likewise)
from segments_async.errors import InputError


class BulkOptions(TypedDict, total=False):
    """Keyword arguments of every bulk call; `BulkSettings` documents each."""

    concurrency: int | None
    batch_size: int | None
    if_exists: Literal["return", "error", "update"]
    on_error: Literal["collect", "raise"]
    max_failures: int | None
    total_timeout: float | None
    progress: Callable[[Progress], object] | None
    keep: Literal["all", "failures"]
    check_duplicates: bool
    checkpoint: str | os.PathLike[str] | None


def _one_of(*words: str) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in words:
            raise InputError(f"expected one of {', '.join(map(repr, words))}, got {value!r}", path=attribute.name)

    return check


def _count_or_none(minimum: int) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise InputError(f"expected a whole number of at least {minimum}, got {value!r}", path=attribute.name)

    return check


def _seconds_or_none(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"expected seconds above 0, got {value!r}", path=attribute.name)


def _callable_or_none(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not callable(value) or iscoroutinefunction(value)):
        raise InputError(f"expected a function that is not async, got {value!r}", path=attribute.name)


def _path_or_none(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, str | os.PathLike) or not os.fspath(value)):
        raise InputError(f"expected the path of a file, got {value!r}", path=attribute.name)


def _flag(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        raise InputError(f"expected True or False, got {value!r}", path=attribute.name)


@frozen(kw_only=True)
class BulkSettings:
    """Configure a bulk run."""

    concurrency: int | None = field(default=None, validator=_count_or_none(1))
    """Maximum requests in flight, capped by `max_connections`. None: 8 for batches of samples, else the cap."""
    batch_size: int | None = field(default=None, validator=_count_or_none(1))
    """
    Maximum items per request, where the service takes several. None is the largest size allowed: 500 samples (and
    4 MiB) to create, 1000 to delete.
    """
    if_exists: Literal["return", "error", "update"] = field(
        default="return", validator=_one_of("return", "error", "update")
    )
    """For samples whose name is taken: return the existing sample, fail, or update it to what was sent."""
    on_error: Literal["collect", "raise"] = field(default="collect", validator=_one_of("collect", "raise"))
    """Collect failures in the report, or stop at the first failure or a timeout and raise `BulkError`."""
    max_failures: int | None = field(default=None, validator=_count_or_none(0))
    """Stop when more items than this have failed or are unknown."""
    total_timeout: float | None = field(default=None, validator=_seconds_or_none)
    """Stop after this many seconds; requests in flight then have 10 more to complete."""
    progress: Callable[[Progress], object] | None = field(default=None, validator=_callable_or_none)
    """
    Called with a `Progress`: at most ten times a second, about once a second during waits, and always at the end,
    even after an error. `segments_async.progress` provides progress bars.
    """
    keep: Literal["all", "failures"] = field(default="all", validator=_one_of("all", "failures"))
    """Which outcomes to keep in the report; all are counted."""
    check_duplicates: bool = field(default=True, validator=_flag)
    """Fail items whose name appeared earlier in the run, without sending them; costs one digest per item."""
    checkpoint: str | os.PathLike[str] | None = field(default=None, validator=_path_or_none)
    """
    A file that records finished items, so that the same call with the same file, after a crash or with more items,
    resumes where this one ended.

    Items that are done and unchanged are `skipped` without a request. Changed items are sent according to
    *if_exists*. Items that failed or are unknown are sent again. The file is an SQLite database; it belongs to one
    operation on one dataset or labelset, and to one run at a time.
    """

    @classmethod
    def from_options(cls, options: BulkOptions) -> Self:
        """
        Read the keyword arguments of a bulk call.

        Raises:
            TypeError: An option is unknown.
            InputError: An option has an invalid value.
        """
        check_keys(options, BulkOptions, "a bulk call")
        return cls(**options)
