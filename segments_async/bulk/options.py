"""The options that every bulk call takes."""

from __future__ import annotations

import os  # noqa: TC003 (a TypedDict is read at run time)
from collections.abc import Callable  # noqa: TC003 (likewise)
from typing import Literal, Self, TypedDict

from attrs import field, frozen
from attrs.validators import optional

from segments_async._validators import callback, count, file_path, flag, one_of, seconds
from segments_async._wire.arguments import check_keys
from segments_async.bulk.report import Progress  # noqa: TC001 (likewise)


class BulkOptions(TypedDict, total=False):
    """Keyword arguments of every bulk call; `BulkSettings` says what each means."""

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


@frozen(kw_only=True)
class BulkSettings:
    """Say how a bulk run behaves."""

    concurrency: int | None = field(default=None, validator=optional(count(1)))
    """Requests in flight at most; `max_connections` caps it. None: 8 for batches of samples, else the cap."""
    batch_size: int | None = field(default=None, validator=optional(count(1)))
    """
    Items a request at most, where the service takes several. None is the most there may be: 500 samples (and 4 MiB) to
    create, 1000 to delete.
    """
    if_exists: Literal["return", "error", "update"] = field(
        default="return", validator=one_of("return", "error", "update")
    )
    """For samples whose name is taken: return what is there, fail, or change it to what was sent."""
    on_error: Literal["collect", "raise"] = field(default="collect", validator=one_of("collect", "raise"))
    """Collect failures in the report, or stop at the first, or at a timeout, and raise `BulkError`."""
    max_failures: int | None = field(default=None, validator=optional(count(0)))
    """Stop when more items than this failed or are unknown."""
    total_timeout: float | None = field(default=None, validator=optional(seconds))
    """Stop after so many seconds; what is under way then gets 10 more to end."""
    progress: Callable[[Progress], object] | None = field(default=None, validator=optional(callback))
    """
    Called with a `Progress`: at most ten times a second, about once a second during waits, and at the end, however
    that comes. `segments_async.progress` has bars.
    """
    keep: Literal["all", "failures"] = field(default="all", validator=one_of("all", "failures"))
    """Which outcomes the report keeps; all are counted."""
    check_duplicates: bool = field(default=True, validator=flag)
    """Fail the second item of a name locally; costs one digest an item."""
    checkpoint: str | os.PathLike[str] | None = field(default=None, validator=optional(file_path))
    """
    A file that notes what is done, so that the same call with the same file, after a crash or with more items, goes on
    where this one ended.

    What is done and has not changed is `skipped`, without a request; what has changed is sent by the rule of
    *if_exists*; what failed or is unknown is sent again. The file is SQLite; it belongs to one operation on one
    dataset or labelset, and one run at a time.
    """

    @classmethod
    def from_options(cls, options: BulkOptions) -> Self:
        """
        Read the keyword arguments of a bulk call.

        Raises:
            TypeError: One of them is not known.
            InputError: One of them has a value that makes no sense.
        """
        check_keys(options, BulkOptions, "a bulk call")
        return cls(**options)
