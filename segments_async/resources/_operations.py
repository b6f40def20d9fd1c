"""What the operations of several resources share; `segments_async.bulk.operation` says what an operation is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from segments_async._wire.endpoint import segment
from segments_async.bulk.operation import Operation, Prepared, digest_of

if TYPE_CHECKING:
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings

T = TypeVar("T")

PLACE = frozenset({"sample_uuid", "labelset"})
"""Keys of an item that say which label it is about."""


class ServiceOperation(Operation[T]):
    """An operation whose requests go through a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.service: str = session.pool.base_url

    def limit(self) -> int:
        """Requests that the gate lets through at once now."""
        return self._session.limit


class PerItemOperation(ServiceOperation[T]):
    """Send one item a request, over as many connections as there are."""

    batch_size = 1

    def __init__(self, session: Session, settings: BulkSettings) -> None:
        super().__init__(session)
        self.concurrency: int = min(settings.concurrency or session.max_connections, session.max_connections)


class PerLabelOperation(PerItemOperation[T]):
    """Do something with the labels of one labelset, unless an item names another."""

    def __init__(self, session: Session, labelset: str, settings: BulkSettings) -> None:
        segment(labelset, "labelset")
        super().__init__(session, settings)
        self.scope = labelset

    def prepared(self, sample_uuid: object, labelset: object = None, content: bytes | None = None) -> Prepared:
        """Check where a label is, and keep that with the body to send."""
        labelset = self.scope if labelset is None else labelset
        segment(sample_uuid, "sample_uuid")
        segment(labelset, "labelset")
        path = {"sample_uuid": sample_uuid, "labelset": labelset}
        return Prepared(f"{sample_uuid}/{labelset}", (path, content), uuid=str(sample_uuid))

    def digest(self, prepared: Prepared) -> bytes | None:
        """Tell whether the body is the same; there may be none."""
        _, content = prepared.body
        return digest_of(content or b"")


class PerSampleOperation(PerLabelOperation[T]):
    """Items are the uuids of samples."""

    items_name = "sample_uuids"

    def prepare(self, item: Any) -> Prepared:
        """Check a uuid, which has no name of its own in errors."""
        segment(item, "")
        return self.prepared(item)
