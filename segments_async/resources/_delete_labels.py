from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._wire.endpoint import Endpoint
from segments_async.bulk.operation import Job, Success
from segments_async.resources._one_by_one import BySample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments_async._session import Trace
    from segments_async.errors import SegmentsError

DELETE_LABEL = Endpoint(method="DELETE", path="/labels/{sample_uuid}/{labelset}/")


class DeleteLabels(BySample[None]):
    """Delete labels one by one: the service has no call for several."""

    kind = "labels.delete_many"

    async def send(self, jobs: Sequence[Job], trace: Trace) -> Sequence[Success[None] | SegmentsError]:
        """Delete one label."""
        path, _ = jobs[0].prepared.body
        await self._session.call(DELETE_LABEL, path=path, trace=trace)
        return [Success("done", None)]
