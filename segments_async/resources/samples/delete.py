from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._wire.endpoint import plain_text, segment
from segments_async._wire.routes import DELETE_SAMPLES
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.resources._operations import DatasetOperation, sample_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings
    from segments_async.errors import SegmentsError
    from segments_async.models import Dataset


MAX_UUIDS = 1000
"""The service's limit for one call; see ``docs/service.md``, "samples_bulk"."""


class DeleteSamples(DatasetOperation[None]):
    """Delete samples in batches; the service skips uuids that are not in the dataset, and counts those it deleted."""

    kind = "samples.delete_many"
    items_name = "uuids"

    def __init__(self, session: Session, dataset: str | Dataset, settings: BulkSettings) -> None:
        super().__init__(session, dataset, settings, batch_size=min(settings.batch_size or MAX_UUIDS, MAX_UUIDS))

    def prepare(self, item: Any) -> Prepared:
        """Check a uuid."""
        uuid = plain_text(sample_uuid(item))
        segment(uuid, "")
        return Prepared(str(uuid), None, uuid=str(uuid))

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[None] | SegmentsError]:
        """Delete a batch."""
        body = {"uuids": [job.prepared.key for job in jobs]}
        answer = await self._session.call(DELETE_SAMPLES, dict[str, Any], path=self._path, json=body, stats=stats)
        count = answer.get("deleted_count")
        stats.deleted += count if isinstance(count, int) else 0
        return [Success("done", None) for _ in jobs]
