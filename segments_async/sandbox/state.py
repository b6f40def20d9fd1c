"""
What the sandbox remembers.

Only the server's own thread writes here (and `Sandbox.add_workunit` and its like). JSON records (the dicts) are
replaced and never edited, so that any other thread may read them without a lock.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

from attrs import define, field

from segments_async.sandbox.problems import not_found, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from segments_async.sandbox.blobs import Blob
    from segments_async.sandbox.storage import ObjectStore

Record: TypeAlias = dict[str, Any]

GROUND_TRUTH = "ground-truth"


@define(eq=False)
class Sample:
    """A sample and its labels."""

    dataset: Dataset
    record: Record
    labels: dict[str, Record] = field(factory=dict)
    """By the name of the labelset."""
    issues: dict[str, Issue] = field(factory=dict)
    """By uuid."""
    workunits: list[Record] = field(factory=list)

    @property
    def uuid(self) -> str:
        """Its identifier."""
        return str(self.record["uuid"])


@define(eq=False)
class Issue:
    """What somebody noted about a sample."""

    sample: Sample
    record: Record

    @property
    def uuid(self) -> str:
        """Its identifier."""
        return str(self.record["uuid"])


@define(eq=False)
class Release:
    """A frozen copy of a dataset, and the file it is written to."""

    dataset: Dataset
    record: Record
    key: str
    """Where the storage keeps the file."""
    file: Blob
    ready_at: float
    """When it stops being PENDING, in seconds since the epoch."""
    fails: bool


@define(eq=False)
class Dataset:
    """A dataset and everything that goes away with it."""

    owner: str
    name: str
    record: Record
    samples: dict[str, Sample] = field(factory=dict)
    """By name."""
    labelsets: dict[str, Record] = field(factory=dict)
    collaborators: dict[str, Record] = field(factory=dict)
    """By user."""
    releases: dict[str, Release] = field(factory=dict)

    @property
    def full_name(self) -> str:
        """Its identifier, ``"owner/name"``."""
        return f"{self.owner}/{self.name}"


class State:
    """
    The tables, and how rows are found in them.

    Arguments:
        keys: The users that have an API key, by that.
        users: Other users.
        organizations: Owners of datasets that are not people: roles by member, by organization.
        store: Where assets and release files are kept.
        clock: Returns the seconds since the epoch.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, str],
        users: Iterable[str],
        organizations: Mapping[str, Mapping[str, str]],
        store: ObjectStore,
        clock: Callable[[], float],
    ) -> None:
        self.keys = keys
        self.members = organizations
        self.store = store
        self.clock = clock
        self.release_seconds: float = 0.0
        self.fail_releases = False
        self.tell: Callable[[str, Dataset, Callable[[], Record]], None] = lambda *_: None
        """Called with each change: the type of the event, the dataset, and what describes the thing."""
        self.users: dict[str, Record] = {
            name: self._new_user(name, is_organization=False) for name in (*keys.values(), *users)
        }
        self.users |= {name: self._new_user(name, is_organization=True) for name in organizations}
        self.datasets: dict[tuple[str, str], Dataset] = {}
        self.samples: dict[str, Sample] = {}
        self.issues: dict[str, Issue] = {}

    def now(self) -> str:
        """Return the time as the service writes it: UTC with microseconds and a ``Z``."""
        return f"{datetime.fromtimestamp(self.clock(), UTC):%Y-%m-%dT%H:%M:%S.%fZ}"

    def account(self, name: str) -> Record:
        """Return a user or an organization."""
        if name not in self.users:
            raise not_found()
        return self.users[name]

    def dataset(self, owner: str, name: str) -> Dataset:
        """Return a dataset."""
        try:
            return self.datasets[owner, name]
        except KeyError:
            raise not_found() from None

    def sample(self, uuid: str) -> Sample:
        """Return a sample."""
        try:
            return self.samples[uuid]
        except KeyError:
            raise not_found() from None

    def issue(self, uuid: str) -> Issue:
        """Return an issue."""
        try:
            return self.issues[uuid]
        except KeyError:
            raise not_found() from None

    def rename_dataset(self, dataset: Dataset, owner: str, name: str) -> None:
        """Move *dataset*, or a new one, to a name that must be free."""
        if self.datasets.get((owner, name), dataset) is not dataset:
            raise refused(400, "You already have a dataset with this name.")
        self.datasets.pop((dataset.owner, dataset.name), None)
        dataset.owner, dataset.name = owner, name
        self.datasets[owner, name] = dataset

    def add_sample(self, dataset: Dataset, record: Record, user: str) -> Sample:
        """Store a new sample of *user*'s, whose name is known to be free."""
        created = {"uuid": str(uuid4()), "created_at": self.now(), "created_by": user}
        sample = Sample(dataset, record | created)
        dataset.samples[record["name"]] = self.samples[sample.uuid] = sample
        return sample

    def delete_sample(self, sample: Sample) -> None:
        """Forget a sample, its labels and issues."""
        for uuid in sample.issues:
            del self.issues[uuid]
        del sample.dataset.samples[sample.record["name"]], self.samples[sample.uuid]

    def delete_release(self, dataset: Dataset, name: str) -> None:
        """Forget a release and its file."""
        release = dataset.releases.pop(name)
        self.store.objects.pop(release.key, None)

    def delete_dataset(self, dataset: Dataset) -> None:
        """Forget a dataset with its samples, labels and releases."""
        for sample in list(dataset.samples.values()):
            self.delete_sample(sample)
        for name in list(dataset.releases):
            self.delete_release(dataset, name)
        del self.datasets[dataset.owner, dataset.name]

    def _new_user(self, name: str, *, is_organization: bool) -> Record:
        return {
            "username": name,
            "email": f"{name}@example.com",
            "created_at": self.now(),
            "is_organization": is_organization,
        }
