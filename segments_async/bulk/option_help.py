"""
What `help` says about the options of bulk calls.

The text of each is also the docstring of its key in `BulkOptions`, which editors show; a test compares them.
"""

from __future__ import annotations

import re
from functools import cache
from textwrap import fill
from typing import TypeVar

C = TypeVar("C", bound=type)

OPTION_HELP: dict[str, str] = {
    "concurrency": (
        "Maximum requests in flight, capped by `max_connections`. Default None: 8 for batches of samples, "
        "else `max_connections`."
    ),
    "batch_size": (
        "Maximum items per request, where the service takes several. Default None: 500 samples and 4 MiB to create, "
        "1000 samples to delete."
    ),
    "if_exists": (
        'For samples whose name is taken: "return" the existing sample, "error" fails the item, "update" changes the '
        'sample to what was sent. Default "return".'
    ),
    "on_error": (
        'Whether to "collect" failures in the report, or "raise" `BulkError` at the first failure or a timeout. '
        'Default "collect".'
    ),
    "max_failures": "Stop when more items than this have failed or are unknown. Default None: never.",
    "total_timeout": (
        "Stop after this many seconds; requests in flight then have 10 more to complete. Default None: no limit."
    ),
    "progress": (
        "Called with a `Progress`, at most ten times a second; see `segments_async.progress` for bars. Default None."
    ),
    "keep": (
        'Which outcomes the report keeps: "all", or "failures", which needs little memory; all are counted. '
        'Default "all".'
    ),
    "check_duplicates": (
        "Fail items whose name appeared earlier in the run, without sending them. Default True; costs a digest per "
        "item."
    ),
    "checkpoint": (
        "A file, or a `RedisCheckpoint`, that records finished items, so that the same call resumes after a crash. "
        "Default None."
    ),
    "on_outcome": "Called with each `Outcome` as it becomes known; what it raises stops the run. Default None.",
    "dry_run": "Check every item, and send nothing. Default False.",
}
"""The options: what each means, its default, and its unit."""

_listed = re.compile(r"(?<=explained there): +``concurrency``[^.]*``dry_run``")
"""For editors, which show the docstring as it is written; `help` has the whole list instead."""
_parameter = re.compile(r"^( *)bulk: Keys of `BulkOptions`.*(?:\n\1 +.*)*", re.MULTILINE)


def with_option_help(resource: C) -> C:
    """Add the options to the docstrings of the bulk calls of a class, where `help` finds them."""
    for method in vars(resource).values():
        if getattr(method, "__doc__", None) and callable(method):
            method.__doc__ = _parameter.sub(_with_options, method.__doc__)
    return resource


def _with_options(found: re.Match[str]) -> str:
    words = fill(
        _listed.sub("", " ".join(found[0].split())), 120, initial_indent=found[1], subsequent_indent=f"{found[1]}    "
    )
    return f"{words}\n\n{list_options(found[1] + '    ')}"


@cache
def list_options(indent: str) -> str:
    """Return a list of the options."""
    return "\n".join(
        fill(f"{name}: {words}", 120, initial_indent=indent, subsequent_indent=f"{indent}    ")
        for name, words in OPTION_HELP.items()
    )
