"""Base classes of the bulk operations of several resources; see `segments_async.bulk.operation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from segments_async._serialization.answer import later
from segments_async._wire.endpoint import dataset_name, dataset_path, plain_text, segment
from segments_async.bulk import Outcome
from segments_async.bulk.operation import Operation, Prepared, digest_of
from segments_async.errors import InputError
from segments_async.models import Label, ReleaseSample, Sample

if TYPE_CHECKING:
    from segments_async._http.session import Session
    from segments_async._serialization.answer import Answer
    from segments_async._wire.endpoint import Endpoint
    from segments_async.bulk import BulkSettings
    from segments_async.models import Dataset

T = TypeVar("T")

SampleRef = str | UUID | Sample | ReleaseSample
"""A sample, or its uuid."""
BATCHES_IN_FLIGHT = 8

_LABEL_KEYS = frozenset({"sample_uuid", "labelset"})


class ServiceOperation(Operation[T]):
    """An operation whose requests are sent through a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.service: str = session.pool.base_url

    def limit(self) -> int:
        """Return how many requests the session currently allows at once."""
        return self._session.limit

    async def _call_for_value(self, endpoint: Endpoint, model: type[T], **request: Any) -> T | Answer[T]:
        """Make a call whose answer is the value of an item, which is structured now, or when it is asked for."""
        if self.values == "now":
            return await self._session.call(endpoint, model, **request)
        return await self._session.call(endpoint, read=later(model), **request)


class DatasetOperation(ServiceOperation[T]):
    """
    An operation that sends items of one dataset in batches.

    Args:
        session: Makes the calls.
        dataset: ``"owner/name"``, or a `Dataset`.
        settings: Their `concurrency` overrides *in_flight*.
        batch_size: Items per request at most.
        in_flight: Batches in flight at most by default; never more than the session has connections.
    """

    missing_is_fatal = True

    def __init__(
        self,
        session: Session,
        dataset: str | Dataset,
        settings: BulkSettings,
        *,
        batch_size: int,
        in_flight: int = BATCHES_IN_FLIGHT,
    ) -> None:
        dataset_path(dataset)  # refuses a bad name here, not in the first batch
        super().__init__(session)
        self.scope: str = dataset_name(dataset)
        self.batch_size: int = batch_size
        self.concurrency: int = min(settings.concurrency or in_flight, session.max_connections)
        self._path = {"dataset": dataset}


class PerItemOperation(ServiceOperation[T]):
    """An operation that sends one request per item, over all connections of the session by default."""

    batch_size = 1

    def __init__(self, session: Session, settings: BulkSettings) -> None:
        super().__init__(session)
        self.concurrency: int = min(settings.concurrency or session.max_connections, session.max_connections)


class PerLabelOperation(PerItemOperation[T]):
    """An operation on single labels: those of one labelset, unless an item names another."""

    def __init__(self, session: Session, labelset: str, settings: BulkSettings) -> None:
        segment(labelset, "labelset")
        super().__init__(session, settings)
        self.scope = labelset

    def prepare_label(self, sample_uuid: object, labelset: object = None, content: bytes | None = None) -> Prepared:
        """Check the sample's uuid and the labelset; the prepared body is the path and the *content* to send."""
        labelset = self.scope if labelset is None else plain_text(labelset, "labelset")
        sample_uuid = plain_text(sample_uuid, "sample_uuid")
        segment(sample_uuid, "sample_uuid")
        segment(labelset, "labelset")
        path = {"sample_uuid": sample_uuid, "labelset": labelset}
        return Prepared(f"{sample_uuid}/{labelset}", (path, content), uuid=str(sample_uuid))

    def digest(self, prepared: Prepared) -> bytes | None:
        """Hash the content to send; it is empty for calls without a body."""
        _, content = prepared.body
        return digest_of(content or b"")


class PerSampleOperation(PerLabelOperation[T]):
    """An operation on single labels whose items name samples, as `sample_uuid` reads them, or are labels."""

    items_name = "sample_uuids"

    def prepare(self, item: Any) -> Prepared:
        """Check a uuid; errors name its index in the input alone, as an item is just the uuid."""
        uuid = item.sample_uuid if isinstance(item, Label) else sample_uuid(item)
        uuid = plain_text(uuid)
        segment(uuid, "")
        return self.prepare_label(uuid)


def sample_uuid(item: Any) -> Any:
    """
    Return the uuid of an item that names a sample.

    The item is a sample, also one of the official SDK, an outcome, a mapping with ``uuid``, or the uuid itself.

    Raises:
        InputError: An outcome, a release's sample or a mapping has no uuid.
    """
    if isinstance(item, Mapping):
        if "uuid" not in item:
            raise InputError("missing", path="uuid")
        return item["uuid"]
    if not isinstance(item, Sample | ReleaseSample | Outcome) and not hasattr(item, "model_dump"):
        return item
    uuid = getattr(item, "uuid", None)
    if not uuid:
        raise InputError(f"this {type(item).__name__} has no uuid")
    return uuid


def split_label_keys(fields: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """
    Separate the keys that locate a label from its content.

    Returns:
        The sample's uuid; the labelset, or None if the item does not name one; and the other keys.

    Raises:
        InputError: The item has no ``sample_uuid``.
    """
    if "sample_uuid" not in fields:
        raise InputError("missing", path="sample_uuid")
    content = {key: value for key, value in fields.items() if key not in _LABEL_KEYS}
    return fields["sample_uuid"], fields.get("labelset"), content
