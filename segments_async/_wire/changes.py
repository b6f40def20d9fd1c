"""
Notice the writes that shift the rows of a list while it is read.

The service numbers pages, so a row that is created, deleted or moved shifts the rows of all later pages, and some would
be skipped. Each pool has one `Changes`: calls that write report to it, and lists that are being read watch it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from weakref import WeakSet

from attrs import define, field

from segments_async._wire.endpoint import Endpoint, Writes, dataset_name
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

SAMPLES = "samples"
"""Samples were created or deleted."""
DATASETS = "datasets"
"""Datasets were created, deleted or renamed."""


def sample_field(name: str) -> str:
    """Return the kind of a change of one field of samples."""
    return f"samples.{name}"


def labels_in(labelset: object) -> str:
    """Return the kind of a change of labels in a labelset."""
    return f"labels/{labelset}"


@define(eq=False)
class Write:
    """A request that writes, from before it is sent until its response is read."""

    endpoint: Endpoint
    path: Mapping[str, Any]
    body: Callable[[], Any]
    """Decodes the body; only called while a list is being read."""
    dataset: str | None = field(default=None, init=False)
    """``"owner/name"``; None if the request does not name the dataset, and its response has not yet."""
    _kinds: frozenset[str] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if "dataset" in self.path:
            self.dataset = dataset_name(self.path["dataset"])

    def __str__(self) -> str:
        return f"{self.endpoint.method} {self.endpoint.fill(**self.path)}"

    @property
    def uuid(self) -> str:
        """The sample that the path names."""
        return str(self.path.get("uuid") or self.path.get("sample_uuid"))

    @property
    def kinds(self) -> frozenset[str]:
        """What it changes."""
        if self._kinds is None:
            self._kinds = frozenset(self._find_kinds())
        return self._kinds

    def _find_kinds(self) -> Collection[str]:
        match self.endpoint.writes:
            case Writes.SAMPLES:
                return [SAMPLES]
            case Writes.SAMPLE_FIELDS:
                return [sample_field(name) for name in self._keys()]
            case Writes.LABELS:
                return [labels_in(self.path.get("labelset") or self.path.get("name"))]
            case Writes.DATASETS:
                return [DATASETS]
            case Writes.DATASET_FIELDS:
                return [DATASETS] if "name" in self._keys() else []
            case _:
                return []

    def _keys(self) -> Collection[str]:
        body = self.body()
        return body.keys() if isinstance(body, dict) else ()


@define(eq=False, slots=False)
class Watch:
    """
    One use of a list: whether a write has shifted its rows since it started.

    Args:
        dataset: The dataset whose samples are listed; None for a list of datasets.
        kinds: The changes that can shift the list.
        order: Those of them that can move a row which was not read yet to a place that was already read.
    """

    dataset: str | None
    kinds: frozenset[str]
    order: frozenset[str]
    rows: set[Any] = field(factory=set, init=False)
    """Keys of the rows read so far."""
    _cause: str | None = field(default=None, init=False)
    _written: set[str] = field(factory=set, init=False)
    """Samples that were written, in which dataset is unknown."""
    _unlocated: set[Write] = field(factory=set, init=False)
    """Writes in flight that may concern this list, until the response names their dataset."""

    def find_cause(self, keys: Collection[Any]) -> str | None:
        """Return the write that has shifted the list, if any; *keys* are those of the next rows."""
        if self._cause is None and self._unlocated:
            self._cause = str(next(iter(self._unlocated)))
        if self._cause is None and self._written and not self._written.isdisjoint(keys):
            self._cause = "a write to one of its samples"
        return self._cause

    def note(self, write: Write) -> None:
        """Record a write that is about to be sent."""
        if self._cause is not None or self.kinds.isdisjoint(write.kinds):
            return
        if self.dataset is None or write.dataset == self.dataset:
            self._cause = str(write)
        elif write.dataset is not None:
            return
        elif write.uuid in self.rows:
            self._cause = str(write)
        elif self.order.isdisjoint(write.kinds):
            self._written.add(write.uuid)
        else:
            self._unlocated.add(write)

    def end(self, write: Write) -> None:
        """Record that the response of a write was read."""
        if write in self._unlocated:
            self._unlocated.discard(write)
            if write.dataset in {None, self.dataset}:
                self._cause = self._cause or str(write)


class Changes:
    """The lists that are being read over one pool, and the writes in flight over it."""

    def __init__(self) -> None:
        self._watches: WeakSet[Watch] = WeakSet()
        self._in_flight: set[Write] = set()

    @property
    def is_watched(self) -> bool:
        """Whether a list is being read."""
        return bool(self._watches)

    def watch(self, dataset: str | None, kinds: Collection[str], order: Collection[str] = ()) -> Watch:
        """Watch for changes of a list from now on; writes in flight count, as nothing shows when they take effect."""
        watch = Watch(dataset, frozenset(kinds), frozenset(order))
        for write in self._in_flight:
            watch.note(write)
        self._watches.add(watch)
        return watch

    def begin(self, write: Write) -> None:
        """Report a write before it is sent."""
        self._in_flight.add(write)
        if self._watches:  # iterating over a WeakSet is slow, even over an empty one
            for watch in self._watches:
                watch.note(write)

    def end(self, write: Write) -> None:
        """Report that the response of a write was read, or that it failed."""
        self._in_flight.discard(write)
        if self._watches:
            for watch in self._watches:
                watch.end(write)


def match_route(routes: Collection[Endpoint], method: str, target: str) -> tuple[Endpoint, dict[str, str]] | None:
    """Find the route among *routes* that a path given as text is of, and the values in it; None if there is none."""
    path = target.partition("?")[0].strip("/")
    for route in routes:
        pattern = route.path.strip("/").replace("{dataset}", "(?P<dataset>[^/]+/[^/]+)")
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), path)
        if route.method == method.upper() and found:
            values = {name: unquote(value) for name, value in found.groupdict().items()}
            try:
                route.fill(**values)
            except InputError:
                return None
            return route, values
    return None
