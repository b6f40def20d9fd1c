"""The names of datasets: completed, and looked up when one is missing."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

from cyclopts import Parameter

from segments_async.cli import keys
from segments_async.cli.exit_statuses import NOT_FOUND
from segments_async.cli.statuses import CommandError

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

    from segments_async import AsyncSegments, NotFoundError

CACHE_SECONDS = 60.0
COMPLETION_SECONDS = 3.0
"""Seconds to wait for the service while a name is completed."""
_PART = re.compile(r"/(release|labelset)s/([^/?]+)/?(?:\?|$)")
"""What a URL names in a dataset."""
_OWNER = re.compile(r"/users/([^/?]+)/datasets/?(?:\?|$)")
"""Whose datasets a URL lists."""


async def full_name(client: AsyncSegments, dataset: str) -> str:
    """Return ``owner/name`` for what was typed: a name alone is one of the user's own datasets."""
    return dataset if "/" in dataset else f"{(await client.users.me()).username}/{dataset}"


async def explain_not_found(client: AsyncSegments, dataset: str, error: NotFoundError) -> Exception:
    """Return a better error if it is the dataset, or a release or labelset of it, that does not exist."""
    from segments_async import NotFoundError, SegmentsError

    if not dataset:
        return await _explain_missing_owner(client, error)
    with suppress(SegmentsError):
        try:
            await client.datasets.get(dataset)
        except NotFoundError:
            return _missing("dataset", dataset, await _names_near(client, dataset), "datasets list")
        if part := _PART.search(error.url or ""):
            kind, name = part[1], unquote(part[2])
            listed = client.releases.list(dataset) if kind == "release" else client.labelsets.list(dataset)
            names = [found.name async for found in listed]
            if name not in names:
                return _missing(kind, name, names, f"{kind}s list {dataset}")
    return error


async def _explain_missing_owner(client: AsyncSegments, error: NotFoundError) -> Exception:
    """Return a better error if what does not exist is the owner of the datasets to list."""
    from segments_async import SegmentsError

    found = _OWNER.search(error.url or "")
    if not found:
        return error
    names: set[str] = set()
    with suppress(SegmentsError):
        names.add((await client.users.me()).username)
        names.update([dataset.identifier.partition("/")[0] async for dataset in client.datasets.list()])
    return _missing("user or organization", unquote(found[1]), sorted(names), "datasets list")


def _missing(kind: str, name: str, names: list[str], command: str) -> CommandError:
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"see `segments-async {command}`"
    return CommandError(f"no such {kind} {name}; {hint}", status=NOT_FOUND)


async def _names_near(client: AsyncSegments, dataset: str) -> list[str]:
    """Return the names of the owner's datasets and of one's own."""
    from segments_async import SegmentsError

    names = []
    for owner in (dataset.partition("/")[0], None):
        with suppress(SegmentsError):
            names += [found.identifier async for found in client.datasets.list(owner)]
    return names


def complete_dataset(context: CompletionContext) -> list[str]:
    """Complete the name of a dataset, from a cache of a minute."""
    typed = context.incomplete
    owner, slash, _ = typed.partition("/")
    names = _cached_names(None)
    if slash and not any(name.startswith(f"{owner}/") for name in names):
        names = _cached_names(owner)
    shown = names if slash else [name.partition("/")[2] for name in names] + (names if typed else [])
    return [name for name in shown if name.startswith(typed)]


DatasetName = Annotated[str, Parameter(completer=complete_dataset)]


def _cached_names(owner: str | None) -> list[str]:
    key = keys.find_key()
    if key is None:
        return []
    cache = _cache_file(key.value, owner)
    with suppress(OSError, ValueError, KeyError, TypeError):
        cached: dict[str, Any] = json.loads(cache.read_bytes())
        if 0 <= time.time() - cached["time"] < CACHE_SECONDS:
            return [str(name) for name in cached["names"]]
    names = _fetch_names(key.value, owner)
    if names is None:  # it may work the next time
        return []
    with suppress(OSError):
        keys.write_private(cache, json.dumps({"time": time.time(), "names": names}).encode())
    return names


def _cache_file(key: str, owner: str | None) -> Path:
    from platformdirs import user_cache_path

    digest = blake2b(f"{keys.base_url()} {key} {owner or ''}".encode(), digest_size=12).hexdigest()
    return Path(user_cache_path(keys.SERVICE, appauthor=False)) / f"datasets-{digest}.json"


def _fetch_names(key: str, owner: str | None) -> list[str] | None:
    import anyio

    return anyio.run(partial(_names_of, key, owner))


async def _names_of(key: str, owner: str | None) -> list[str] | None:
    """Return the names; None if the service does not answer in time, or refuses."""
    import anyio

    from segments_async import AsyncSegments, SegmentsError

    with anyio.move_on_after(COMPLETION_SECONDS), suppress(SegmentsError):
        async with AsyncSegments(key, base_url=keys.base_url()) as client:
            return [dataset.identifier async for dataset in client.datasets.list(owner)]
    return None
