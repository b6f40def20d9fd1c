from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._wire.routes import DELETE_LABEL
from segments_async.bulk.operation import Job, Success
from segments_async.resources._operations import PerSampleOperation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async.errors import SegmentsError


class DeleteLabels(PerSampleOperation[None]):
    """Delete labels, one per request, as the service has no call for several."""

    kind = "labels.delete_many"

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[None] | SegmentsError]:
        """Delete one label."""
        path, _ = jobs[0].prepared.body
        await self._session.call(DELETE_LABEL, path=path, stats=stats)
        return [Success("done", None)]
