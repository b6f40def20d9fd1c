"""
The data of the sandbox.

Only the server's thread and methods such as `Sandbox.add_workunit` write it. JSON records (the dicts) are replaced
and never mutated, so other threads can read them without a lock.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

from attrs import define, field

from segments_async.sandbox.paging import MAX_PER_PAGE
from segments_async.sandbox.problems import not_found, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from segments_async.sandbox.blobs import Blob
    from segments_async.sandbox.storage import ObjectStore
    from segments_async.sandbox.variants import Variants

Record: TypeAlias = dict[str, Any]

GROUND_TRUTH = "ground-truth"


@define(eq=False)
class Sample:
    """A sample and its labels."""

    dataset: Dataset
    record: Record
    labels: dict[str, Record] = field(factory=dict)
    """Labels by labelset name."""
    issues: dict[str, Issue] = field(factory=dict)
    """Issues by uuid."""
    workunits: list[Record] = field(factory=list)

    @property
    def uuid(self) -> str:
        """Its identifier."""
        return str(self.record["uuid"])


@define(eq=False)
class Issue:
    """An issue reported on a sample."""

    sample: Sample
    record: Record

    @property
    def uuid(self) -> str:
        """Its identifier."""
        return str(self.record["uuid"])


@define(eq=False)
class Release:
    """A snapshot of a dataset and the file that contains it."""

    dataset: Dataset
    record: Record
    key: str
    """The key of the file in the storage."""
    file: Blob
    ready_at: float
    """When it stops being PENDING, in seconds since the Unix epoch."""
    fails: bool


@define(eq=False)
class Dataset:
    """A dataset and everything that is deleted with it."""

    owner: str
    name: str
    record: Record
    samples: dict[str, Sample] = field(factory=dict)
    """Samples by name."""
    labelsets: dict[str, Record] = field(factory=dict)
    collaborators: dict[str, Record] = field(factory=dict)
    """Collaborators by username."""
    releases: dict[str, Release] = field(factory=dict)

    @property
    def full_name(self) -> str:
        """Its identifier, ``"owner/name"``."""
        return f"{self.owner}/{self.name}"


class State:
    """
    The tables of the sandbox, with lookups.

    Arguments:
        keys: Usernames by API key.
        users: Users without an API key.
        organizations: The organizations by name, each with the roles of its members by username.
        store: Stores assets and release files.
        clock: Returns the seconds since the Unix epoch.
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
        self.max_per_page: int = MAX_PER_PAGE
        self.fail_releases: bool = False
        self.ignores_unknown_labelsets: bool = False
        self.redirects_slashes: bool = False
        self.variants: Variants = store.variants
        self.notify: Callable[[str, Dataset, Callable[[], Record]], None] = lambda *_: None
        """Called for each change with the event type, the dataset, and a function that returns the object as JSON."""
        self.users: dict[str, Record] = {
            name: self._new_user(name, is_organization=False) for name in (*keys.values(), *users)
        }
        self.users |= {name: self._new_user(name, is_organization=True) for name in organizations}
        self.datasets: dict[tuple[str, str], Dataset] = {}
        self.samples: dict[str, Sample] = {}
        self.issues: dict[str, Issue] = {}

    def reset(self) -> None:
        """Delete everything but the users."""
        for table in (self.datasets, self.samples, self.issues, self.store.objects):
            table.clear()
        self.fail_releases = False
        self.ignores_unknown_labelsets = self.redirects_slashes = False
        self.variants.reset()

    def now(self) -> str:
        """Return the current time in the format of the service: UTC with microseconds and a ``Z``."""
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
        """Add or rename *dataset*; the new name must not be taken."""
        if self.datasets.get((owner, name), dataset) is not dataset:
            raise refused(self.variants.taken_name_status, "You already have a dataset with this name.")
        self.datasets.pop((dataset.owner, dataset.name), None)
        dataset.owner, dataset.name = owner, name
        self.datasets[owner, name] = dataset

    def add_sample(self, dataset: Dataset, record: Record, user: str) -> Sample:
        """Add a sample created by *user*; the caller ensures that its name is not taken."""
        created = {"uuid": str(uuid4()), "created_at": self.now(), "created_by": user}
        sample = Sample(dataset, record | created)
        dataset.samples[record["name"]] = self.samples[sample.uuid] = sample
        return sample

    def delete_sample(self, sample: Sample) -> None:
        """Delete a sample with its labels and issues."""
        for uuid in sample.issues:
            del self.issues[uuid]
        del sample.dataset.samples[sample.record["name"]], self.samples[sample.uuid]

    def delete_release(self, dataset: Dataset, name: str) -> None:
        """Delete a release and its file."""
        release = dataset.releases.pop(name)
        self.store.objects.pop(release.key, None)

    def delete_dataset(self, dataset: Dataset) -> None:
        """Delete a dataset with its samples, labels and releases."""
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
