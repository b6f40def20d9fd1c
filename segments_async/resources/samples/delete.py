from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._wire.endpoint import dataset_name, dataset_path, segment
from segments_async._wire.routes import DELETE_SAMPLES
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.resources._operations import ServiceOperation
from segments_async.resources.samples.create import BATCHES_IN_FLIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings
    from segments_async.errors import SegmentsError
    from segments_async.models import Dataset


MAX_UUIDS = 1000
"""The service takes no more in one call (`api.md`)."""


class DeleteSamples(ServiceOperation[None]):
    """Delete samples in batches; the service skips what is not in the dataset, and tells how many it found."""

    kind = "samples.delete_many"
    items_name = "uuids"
    missing_is_fatal = True

    def __init__(self, session: Session, dataset: str | Dataset, settings: BulkSettings) -> None:
        dataset_path(dataset)
        self.scope: str = dataset_name(dataset)
        super().__init__(session)
        self._path = {"dataset": dataset}
        self.batch_size: int = min(settings.batch_size or MAX_UUIDS, MAX_UUIDS)
        self.concurrency: int = min(settings.concurrency or BATCHES_IN_FLIGHT, session.max_connections)

    def prepare(self, item: Any) -> Prepared:
        """Check a uuid."""
        segment(item, "")
        return Prepared(str(item), None, uuid=str(item))

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[None] | SegmentsError]:
        """Delete a batch."""
        body = {"uuids": [job.prepared.key for job in jobs]}
        told = await self._session.call(DELETE_SAMPLES, dict[str, Any], path=self._path, json=body, stats=stats)
        count = told.get("deleted_count")
        stats.deleted += count if isinstance(count, int) else 0
        return [Success("done", None) for _ in jobs]
