from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._wire.routes import GET_LABEL, GET_SAMPLE
from segments_async.bulk.operation import Job, Success
from segments_async.errors import NotFoundError
from segments_async.models import Label
from segments_async.resources._operations import PerSampleOperation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async.errors import SegmentsError


class GetLabels(PerSampleOperation[Label | None]):
    """Get labels, one per request."""

    kind = "labels.get_many"

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Label | None] | SegmentsError]:
        """
        Get one label; None if the sample has none.

        The service also answers 404 if the sample or the labelset does not exist. A second request, for the sample,
        distinguishes these cases.
        """
        path, _ = jobs[0].prepared.body
        try:
            label = await self._session.call(GET_LABEL, Label, path=path, stats=stats)
        except NotFoundError:
            where, params = {"uuid": path["sample_uuid"]}, {"labelset": path["labelset"]}
            await self._session.call(GET_SAMPLE, Any, path=where, params=params, stats=stats)
            return [Success("done", None)]
        return [Success("done", label)]
