"""The operation of a bulk run: how an item is checked, and how a batch is sent."""

from __future__ import annotations

from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from attrs import define, field, setters

from segments_async.bulk.outcomes import SUCCESSES, outcome_of
from segments_async.errors import InputError, OutOfResourcesError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async._serialization.answer import Answer
    from segments_async.bulk.journal import FileRow
    from segments_async.bulk.outcomes import AnyOutcome, Status

T = TypeVar("T")

_NO_FILES: Mapping[int, FileRow] = {}
_NOTHING_DONE: Any = MappingProxyType({})


def digest_of(content: bytes | bytearray | memoryview) -> bytes:
    """Return a 16-byte digest of *content*, for comparisons."""
    return blake2b(content, digest_size=16).digest()


def _exact_text(text: str) -> str:
    return text if type(text) is str else str.__str__(text)


# The classes below are not frozen: that takes three times as long, for each item.


@define(on_setattr=setters.NO_OP)
class Prepared:
    """An item that is checked and ready to send."""

    key: str = field(converter=_exact_text)
    """Its name in outcomes; a string of a class of the caller becomes an exact `str`."""
    body: Any = field(repr=False)
    """The content that `Operation.send` puts into a request."""
    size: int = 0
    """Bytes it adds to the body of a batch."""
    uuid: str | None = None
    digest: bytes | None = None
    """The result of `Operation.digest`, if already known; None to compute it."""
    item: Any = field(default=None, repr=False)
    """
    The item in the form that `Operation.prepare` gave it, for `trim_item` and `retry_item`; None if they use the item
    as it was passed in. So code of the caller runs once for each item, and gives one result.
    """


@define(eq=False)
class Job:
    """A prepared item and its position in the input."""

    index: int
    item: Any = field(repr=False)
    prepared: Prepared
    uncertain: bool = False
    """Whether an earlier run may have sent this same item without receiving the response."""
    files: Mapping[int, FileRow] = field(default=_NO_FILES, repr=False)
    """Its files that were uploaded before this run, from the checkpoint."""
    done: dict[int, Any] = field(default=_NOTHING_DONE, repr=False)
    """The parts that `Operation.preprocess` finished, even if it failed in the end; a new one where it is called."""

    def outcome(self, *, status: Status, **more: Any) -> AnyOutcome[Any]:
        """Create the outcome of this job."""
        given = {"uuid": self.prepared.uuid, "item": self.item, **more}
        return outcome_of(status, index=self.index, key=self.prepared.key, **given)


@define
class Success(Generic[T]):
    """The result of one item that the service accepted."""

    status: Status
    value: T | Answer[T] | None
    """What the service returned, or the answer that it is made of when it is asked for."""
    uuid: str | None = None
    number: int = 0
    """The number of the value in an `Answer`."""


class Operation(Generic[T]):
    """The operation of a bulk run; subclasses implement one call each."""

    kind: str
    """The name of the call, such as ``labels.put_many``."""
    scope: str = ""
    """The dataset (``owner/name``) or labelset that all items belong to; empty if they share none."""
    service: str = ""
    """The base URL of the service."""
    items_name: str
    """The name of the input in error messages, such as ``samples``."""
    batch_size: int
    """Maximum items per request; 1 if the service takes them one by one."""
    concurrency: int
    """Maximum batches in flight."""
    missing_is_fatal: bool = False
    """Whether a 404 concerns something that all items share."""
    preprocess_limit: int = 0
    """Maximum items that are preprocessed at the same time; 0 if items need no preprocessing."""
    done_statuses: Collection[str] = SUCCESSES
    """Statuses in a checkpoint after which an unchanged item is not sent again."""
    status_aliases: Mapping[str, str] = {}
    """Statuses that the checkpoint stores under another name."""
    lookup_limit: int = 1024
    """Maximum items that are looked up in the checkpoint at once."""
    values: Literal["now", "later", "never"] = "now"
    """
    When the value of a `Success` is looked at: at once, when its outcome is asked for it, or never, so that it may be
    None.
    """
    journal_before_send: bool = False
    """Whether the checkpoint records an item before it is sent; set this if sending an item twice is not idempotent."""

    @property
    def header(self) -> dict[str, str]:
        """The header of its checkpoint, which identifies the operation."""
        return {"operation": self.kind, "service": self.service, "dataset or labelset": self.scope}

    def locate(self, error: SegmentsError, index: int) -> SegmentsError:
        """Add the position in the input to an error about the item; return other errors unchanged."""
        if isinstance(error, InputError | OutOfResourcesError):
            return error.under(f"{self.items_name}[{index}]")
        return error

    def limit(self) -> int | None:
        """Return how many requests the client may have in flight now, over all callers; None if unknown."""
        return None

    def prepare(self, item: Any) -> Prepared:
        """
        Check *item* before anything is sent; raise `InputError` if it is invalid.

        Any exception fails the item alone, as code of the caller may raise it.
        """
        raise NotImplementedError

    def digest(self, prepared: Prepared) -> bytes | None:
        """
        Return a digest that shows whether an item has changed since an earlier run; None if that cannot be known.

        This runs in a worker thread.
        """
        content = prepared.body if isinstance(prepared.body, bytes) else b""
        return digest_of(content)

    @property
    def keeps_items(self) -> bool:
        """Whether outcomes of successes have the items as they were passed in."""
        kind = type(self)
        return kind.trim_item is Operation.trim_item and kind.retry_item is Operation.retry_item

    def trim_item(self, job: Job) -> Any:
        """Return the item to keep in the outcome of a success: all of it, unless it is large."""
        return job.item

    def retry_item(self, job: Job) -> Any:
        """Return the item to pass to another run: the same item, unless part of the work is done."""
        return job.item

    async def check_scope(self, stats: CallStats) -> None:
        """
        Check that what is written to exists, before an item is preprocessed.

        Raises:
            SegmentsError: It does not, or the key may not write to it.
        """

    async def preprocess(self, job: Job, stats: CallStats, note: Callable[[FileRow], None] | None) -> Prepared:
        """
        Do the work that each item needs once, before its batch is sent (possibly in parts and more than once).

        Args:
            job: The item.
            stats: Collects the counters of the calls.
            note: Records an uploaded file in the checkpoint; None if there is no checkpoint.
        """
        raise NotImplementedError

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[T] | SegmentsError]:
        """Send a batch. Return one result for each job, in order; raise an error that concerns all of them."""
        raise NotImplementedError
