"""The outcome of one item of a bulk run, with a class for each kind of ending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeGuard, TypeVar

from attrs import field, fields, frozen

from segments_async._pickling import picklable
from segments_async._serialization.answer import Answer
from segments_async.errors import SegmentsError  # noqa: TC001 (read by tools that resolve the annotations)

T = TypeVar("T")

Status = Literal["created", "existing", "updated", "done", "skipped", "failed", "unsent", "unknown"]

SUCCESSES: frozenset[str] = frozenset({"created", "existing", "updated", "done", "skipped"})


class _ValueOnDemand:
    """The places for a value that is not made yet: its attribute is empty, so that asking for it ends here."""

    __slots__ = ("_answer", "_number")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name != "value":
                return object.__getattribute__(self, name)  # raises what it would have raised
            answer = self._answer
            if answer is not None:  # otherwise, another thread has just made it
                object.__setattr__(self, "value", answer.value(self._number))
                object.__setattr__(self, "_answer", None)  # an outcome kept alone must not keep those of its batch
            return object.__getattribute__(self, "value")


@frozen(kw_only=True)
class Outcome(_ValueOnDemand, Generic[T]):
    """
    The outcome of one item: a `Succeeded`, `Skipped`, `Failed` or `Unsent`, according to its `status`.

    Where they are distinguished, type checkers know more: a success has a `uuid` and a `value`, a failure has an
    `error`. Compare `status`, or match the classes.

    Example::

        async with client.samples.stream_create("jane/flowers", items) as outcomes:
            async for outcome in outcomes:
                match outcome:
                    case Succeeded(value=sample):
                        print(sample.uuid, sample.name)
                    case Failed(error=error):
                        print(outcome.index, outcome.key, error)
    """

    index: int
    """Position in the input, from 0."""
    key: str | None
    """The name of the item: a sample's name or a label's ``sample_uuid/labelset``; None if it has no valid name."""
    uuid: str | None = None
    """The sample's uuid, if known; always known of a success. Empty for a file that was downloaded from a plain URL."""
    item: Any = field(repr=False)
    """The item as it was passed in; a `BitmapPut` that was put, without its array."""
    status: Status
    """
    A success is ``created``, ``existing``, ``updated``, ``done``, or ``skipped`` if a checkpoint records it as done.
    Otherwise ``failed``; ``unsent`` if it was not sent; ``unknown`` if it was sent but no usable response arrived.
    """
    value: T | None = field(default=None, repr=False)
    """
    What the service returned; None if the item is skipped, or did not succeed.

    With ``keep="all"``, an answer stays the JSON text that it was, once it is checked; its models are made when the
    first of its values is asked for, and are the same objects from then on. So an outcome that is kept alone keeps the
    answer to its batch in memory until its value is asked for.
    """
    error: SegmentsError | None = None
    """Why the item failed or is unknown."""
    retryable: bool = False
    """Whether the same item may succeed later."""
    attempts: int = 0
    """How many times it was sent."""
    request_id: str | None = None
    """Request id of the last response."""
    retry_item: Any = field(repr=False)
    """The item to pass to another run; files that are already uploaded are replaced by `Asset` objects."""

    @retry_item.default
    def _default_retry_item(self) -> Any:
        return self.item

    @property
    def succeeded(self) -> bool:
        """Whether the item is stored by the service."""
        return self.status in SUCCESSES

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it; an item that cannot be pickled, such as an open file or a lambda, is replaced by its repr."""
        values = {attribute.name: getattr(self, attribute.name) for attribute in fields(Outcome)}
        item = picklable(self.item)
        retry_item = item if self.retry_item is self.item else picklable(self.retry_item)
        values |= {"item": item, "value": picklable(self.value), "retry_item": retry_item}
        return _restore_outcome, (values, type(self))


class Succeeded(Outcome[T]):
    """The outcome of an item that the service has accepted: ``created``, ``existing``, ``updated`` or ``done``."""

    __slots__ = ()
    if TYPE_CHECKING:
        uuid: str
        status: Literal["created", "existing", "updated", "done"]
        value: T
        error: None


class Skipped(Outcome[T]):
    """The outcome of an item that a checkpoint records as done; its `value` is None, as nothing was sent."""

    __slots__ = ()
    if TYPE_CHECKING:
        uuid: str
        status: Literal["skipped"]
        value: None
        error: None


class Failed(Outcome[T]):
    """The outcome of an item that ``failed``, or is ``unknown``."""

    __slots__ = ()
    if TYPE_CHECKING:
        status: Literal["failed", "unknown"]
        value: None
        error: SegmentsError


class Unsent(Outcome[T]):
    """The outcome of an item that was not sent, because the run stopped or is a ``dry_run``."""

    __slots__ = ()
    if TYPE_CHECKING:
        status: Literal["unsent"]
        value: None
        error: None


AnyOutcome = Succeeded[T] | Skipped[T] | Failed[T] | Unsent[T]
"""Any `Outcome`, as a union that type checkers narrow by `status`."""

CLASS_BY_STATUS: dict[Status, type[AnyOutcome[Any]]] = {
    "created": Succeeded,
    "existing": Succeeded,
    "updated": Succeeded,
    "done": Succeeded,
    "skipped": Skipped,
    "failed": Failed,
    "unknown": Failed,
    "unsent": Unsent,
}


class _Draft(Outcome[Any]):
    """An outcome that is not frozen yet: attrs takes five times as long to fill a frozen one."""

    __slots__ = ()
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__


def sent_outcome(
    status: Status,
    index: int,
    key: str,
    uuid: str | None,
    item: Any,
    retry_item: Any,
    *,
    attempts: int,
    request_id: str | None,
    value: Any = None,
    number: int = 0,
    error: SegmentsError | None = None,
    retryable: bool = False,
) -> AnyOutcome[Any]:
    """Create the outcome of an item that was sent, as fast as is possible."""
    draft: Any = object.__new__(_Draft)
    draft.index = index
    draft.key = key
    draft.uuid = uuid
    draft.item = item
    draft.status = status
    if type(value) is Answer:
        draft._answer, draft._number = value, number  # noqa: SLF001 (`value` stays empty)
    else:
        draft.value = value
    draft.error = error
    draft.retryable = retryable
    draft.attempts = attempts
    draft.request_id = request_id
    draft.retry_item = retry_item
    draft.__class__ = CLASS_BY_STATUS[status]
    outcome: AnyOutcome[Any] = draft
    return outcome


def is_success(outcome: AnyOutcome[T]) -> TypeGuard[Succeeded[T] | Skipped[T]]:
    """Whether the item is stored by the service."""
    return outcome.succeeded


def outcome_of(status: Status, **details: Any) -> AnyOutcome[Any]:
    """Create the outcome of an item that ended with *status*."""
    return CLASS_BY_STATUS[status](status=status, **details)


def _restore_outcome(values: dict[str, Any], kind: type[Outcome[Any]] = Outcome) -> Outcome[Any]:
    return kind(**values)
