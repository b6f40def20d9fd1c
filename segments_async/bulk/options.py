"""The options of every bulk call."""

from __future__ import annotations

import os
from collections.abc import Callable  # noqa: TC003 (a TypedDict is read at run time)
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

from attrs import field, frozen
from attrs.validators import optional

from segments_async._validators import callback, count, file_path, flag, one_of, seconds
from segments_async._wire.arguments import check_keys
from segments_async.bulk.option_help import list_options
from segments_async.bulk.outcomes import AnyOutcome  # noqa: TC001 (likewise)
from segments_async.bulk.redis_checkpoint import RedisCheckpoint
from segments_async.bulk.report import Progress  # noqa: TC001 (likewise)

if TYPE_CHECKING:
    from attrs import Attribute


class BulkOptions(TypedDict, total=False):
    """Keyword arguments of every bulk call; `BulkSettings` explains them at length."""

    concurrency: int | None
    """
    Maximum requests in flight, capped by `max_connections`. Default None: 8 for batches of samples, else
    `max_connections`.
    """
    batch_size: int | None
    """
    Maximum items per request, where the service takes several. Default None: 500 samples and 4 MiB to create, 1000
    samples to delete.
    """
    if_exists: Literal["return", "error", "update"]
    """
    For samples whose name is taken: "return" the existing sample, "error" fails the item, "update" changes the sample
    to what was sent. Default "return".
    """
    on_error: Literal["collect", "raise"]
    """
    Whether to "collect" failures in the report, or "raise" `BulkError` at the first failure or a timeout. Default
    "collect".
    """
    max_failures: int | None
    """Stop when more items than this have failed or are unknown. Default None: never."""
    total_timeout: float | None
    """Stop after this many seconds; requests in flight then have 10 more to complete. Default None: no limit."""
    progress: Callable[[Progress], object] | None
    """Called with a `Progress`, at most ten times a second; see `segments_async.progress` for bars. Default None."""
    keep: Literal["all", "failures"]
    """
    Which outcomes the report keeps: "all", or "failures", which needs little memory; all are counted. Default "all".
    """
    check_duplicates: bool
    """
    Fail items whose name appeared earlier in the run, without sending them. Default True; costs a digest per item.
    """
    checkpoint: str | os.PathLike[str] | RedisCheckpoint | None
    """
    A file, or a `RedisCheckpoint`, that records finished items, so that the same call resumes after a crash. Default
    None.
    """
    on_outcome: Callable[[AnyOutcome[Any]], object] | None
    """Called with each `Outcome` as it becomes known; what it raises stops the run. Default None."""
    dry_run: bool
    """Check every item, and send nothing. Default False."""


BulkOptions.__doc__ = f"{BulkOptions.__doc__}\n\n{list_options('    ')}"


def _file_or_redis(instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, RedisCheckpoint):
        file_path(instance, attribute, value)


def _at_home(
    place: str | os.PathLike[str] | RedisCheckpoint | None,
) -> str | os.PathLike[str] | RedisCheckpoint | None:
    return os.path.expanduser(place) if isinstance(place, str) else place  # noqa: PTH111 (":memory:" is no path)


@frozen(kw_only=True)
class BulkSettings:
    """Configure a bulk run."""

    concurrency: int | None = field(default=None, validator=optional(count(1)))
    """Maximum requests in flight, capped by `max_connections`. None: 8 for batches of samples, else the cap."""
    batch_size: int | None = field(default=None, validator=optional(count(1)))
    """
    Maximum items per request, where the service takes several. None is the largest size allowed: 500 samples (and
    4 MiB) to create, 1000 to delete.
    """
    if_exists: Literal["return", "error", "update"] = field(
        default="return", validator=one_of("return", "error", "update")
    )
    """For samples whose name is taken: return the existing sample, fail, or update it to what was sent."""
    on_error: Literal["collect", "raise"] = field(default="collect", validator=one_of("collect", "raise"))
    """Collect failures in the report, or stop at the first failure or a timeout and raise `BulkError`."""
    max_failures: int | None = field(default=None, validator=optional(count(0)))
    """Stop when more items than this have failed or are unknown."""
    total_timeout: float | None = field(default=None, validator=optional(seconds))
    """Stop after this many seconds; requests in flight then have 10 more to complete."""
    progress: Callable[[Progress], object] | None = field(default=None, validator=optional(callback))
    """
    Called with a `Progress`: at most ten times a second, about once a second during waits, and always at the end,
    even after an error. `segments_async.progress` provides progress bars. It only observes: what it raises is logged on
    the logger ``segments_async``, and does not end the run.
    """
    keep: Literal["all", "failures"] = field(default="all", validator=one_of("all", "failures"))
    """Which outcomes to keep in the report; all are counted."""
    check_duplicates: bool = field(default=True, validator=flag)
    """Fail items whose name appeared earlier in the run, without sending them; costs one digest per item."""
    checkpoint: str | os.PathLike[str] | RedisCheckpoint | None = field(
        default=None, validator=optional(_file_or_redis), converter=_at_home
    )
    """
    A file that records finished items, so that the same call with the same file, after a crash or with more items,
    resumes where this one ended.

    Items that are done and unchanged are `skipped` without a request. Changed items are sent according to
    *if_exists*. Items that failed or are unknown are sent again. The file is an SQLite database; it belongs to one
    operation on one dataset or labelset, and to one run at a time. A run whose file is deleted stops. A
    `RedisCheckpoint` records the same in Redis, where other machines find it.
    """
    on_outcome: Callable[[AnyOutcome[Any]], object] | None = field(default=None, validator=optional(callback))
    """
    Called with each `Outcome` as it becomes known, also with those of a run that is cancelled. An exception that it
    raises stops the run.
    """
    dry_run: bool = field(default=False, validator=flag)
    """Check every item, and send nothing: items that would be sent are `unsent`. A *checkpoint* is only read."""

    @classmethod
    def from_options(
        cls, options: BulkOptions, call: Callable[..., Any] | None = None, item: type | None = None
    ) -> Self:
        """
        Read the keyword arguments of a bulk call.

        Args:
            options: The keyword arguments.
            call: The method, for the error.
            item: The class of its items, for the error.

        Raises:
            TypeError: An option is unknown.
            InputError: An option has an invalid value.
        """
        check_keys(options, BulkOptions, call, item)
        return cls(**options)
