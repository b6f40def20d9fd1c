"""What a bulk run does with its items: how one is checked, and how a batch is sent."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import field, frozen

from segments_async.bulk.report import SUCCESSES, Outcome
from segments_async.errors import InputError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async.bulk.journal import FileRow
    from segments_async.bulk.report import Status

T = TypeVar("T")


def digest_of(content: bytes | bytearray | memoryview) -> bytes:
    """What stands for *content* where it is compared, in 16 bytes."""
    return blake2b(content, digest_size=16).digest()


@frozen
class Prepared:
    """An item that was checked and can be sent."""

    key: str
    body: Any = field(repr=False)
    """What `Operation.send` makes a request of."""
    size: int = 0
    """Bytes it adds to a batch."""
    uuid: str | None = None
    digest: bytes | None = None
    """What `Operation.digest` would say; None if it is to be asked."""


@frozen(eq=False)
class Job:
    """A prepared item and its place in the input."""

    index: int
    item: Any = field(repr=False)
    prepared: Prepared
    uncertain: bool = False
    """Whether an earlier run may have sent just this, and did not live to see the answer."""
    files: Mapping[int, FileRow] = field(factory=dict, repr=False)
    """The files of it that were up before the run, as the checkpoint has them."""
    done: dict[int, Any] = field(factory=dict, repr=False)
    """What `Operation.begin` got done, part by part, also where it failed in the end."""

    def outcome(self, *, status: Status, **more: Any) -> Outcome[Any]:
        """Say what became of it."""
        given = {"uuid": self.prepared.uuid, "item": self.item, **more}
        return Outcome(index=self.index, key=self.prepared.key, status=status, **given)


@frozen
class Success(Generic[T]):
    """What the service made of one item."""

    status: Status
    value: T | None
    uuid: str | None = None


class Operation(Generic[T]):
    """What a bulk run does with its items."""

    kind: str
    """The call it is made for, such as ``labels.put_many``."""
    scope: str = ""
    """What all items belong to: a dataset (``owner/name``) or a labelset; empty if there is no such thing."""
    service: str = ""
    """The base URL of the service it is sent to."""
    items_name: str
    """What the input is called in errors, such as ``samples``."""
    batch_size: int
    """Items a request at most; 1 where the service takes them one by one."""
    concurrency: int
    """Batches in flight at most."""
    missing_is_fatal: bool = False
    """Whether a 404 speaks of something that all items share."""
    preprocess_limit: int = 0
    """Items that are begun at the same time at most; 0 where there is nothing to begin."""
    done_statuses: Collection[str] = SUCCESSES
    """Statuses of an earlier run after which an item that is the same need not be sent again."""
    status_aliases: Mapping[str, str] = {}
    """Statuses that the checkpoint holds as others."""
    lookup_limit: int = 1024
    """Items at most that are looked up in the checkpoint at once."""
    journal_before_send: bool = False
    """Whether the checkpoint notes an item before it is sent, as sending it twice would not do what once does."""

    @property
    def header(self) -> dict[str, str]:
        """What a checkpoint of it belongs to."""
        return {"operation": self.kind, "service": self.service, "dataset or labelset": self.scope}

    def locate(self, error: SegmentsError, index: int) -> SegmentsError:
        """Have a bad argument name its place in the input; other errors name their call."""
        return error.under(f"{self.items_name}[{index}]") if isinstance(error, InputError) else error

    def limit(self) -> int | None:
        """Requests that may be in flight at once now, whoever makes them; None if nobody knows."""
        return None

    def prepare(self, item: Any) -> Prepared:
        """Check *item* before anything is sent; `InputError` says what is wrong with it."""
        raise NotImplementedError

    def digest(self, prepared: Prepared) -> bytes | None:
        """Tell whether an item is still the same as in an earlier run; None if nothing does. Runs in a thread."""
        content = prepared.body if isinstance(prepared.body, bytes) else b""
        return digest_of(content)

    def trim_item(self, item: Any) -> Any:
        """What the outcome of a success holds of its item: all of it, unless that is much."""
        return item

    def retry_item(self, job: Job) -> Any:
        """What to feed to another run: the item, unless part of the work is done."""
        return job.item

    async def preprocess(self, job: Job, stats: CallStats, note: Callable[[FileRow], None] | None) -> Prepared:
        """
        Do what is done once for each item, before its batch is sent, perhaps in parts and more than once.

        Args:
            job: The item.
            stats: Collects the counts of the calls.
            note: Has the checkpoint note a file that is up; None if there is no checkpoint.
        """
        raise NotImplementedError

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[T] | SegmentsError]:
        """Send a batch: one result for each job, in order; raise what befell all of them."""
        raise NotImplementedError
