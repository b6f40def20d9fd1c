from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segments_async._serialization.json import encode_json
from segments_async._wire.arguments import check_name, without_none
from segments_async._wire.contents import check_sample_change, check_sample_content
from segments_async._wire.endpoint import plain_text, segment
from segments_async._wire.routes import UPDATE_SAMPLE
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.errors import InputError
from segments_async.models import Sample, SampleUpdate
from segments_async.resources._operations import PerItemOperation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async.errors import SegmentsError


class UpdateSamples(PerItemOperation[Sample]):
    """Change samples, one per request, as the service has no call for several."""

    kind = "samples.update_many"
    items_name = "changes"

    def prepare(self, item: Any) -> Prepared:
        """Check a change and encode its body."""
        uuid: Any
        if isinstance(item, SampleUpdate):
            uuid, changes = item.uuid, dict(item.changes)
        elif isinstance(item, Mapping):
            if "uuid" not in item:
                raise InputError("missing", path="uuid")
            uuid, changes = item["uuid"], {key: value for key, value in item.items() if key != "uuid"}
            uuid = plain_text(uuid, "uuid")
            segment(uuid, "uuid")
            check_sample_change(changes)
        else:
            raise InputError(f"expected a SampleUpdate or a mapping, got {type(item).__name__}")
        uuid = plain_text(uuid, "uuid")
        segment(uuid, "uuid")
        check_sample_changes(changes)
        return Prepared(str(uuid), encode_json(changes), uuid=str(uuid))

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Sample] | SegmentsError]:
        """Change one sample."""
        prepared = jobs[0].prepared
        path = {"uuid": prepared.uuid}
        sample = await self._call_for_value(UPDATE_SAMPLE, Sample, path=path, content=prepared.body, stats=stats)
        return [Success("updated", sample)]


def check_sample_changes(changes: Mapping[str, Any]) -> None:
    """
    Refuse changes that do not fit a sample; None is sent as null, which every field but the name accepts.

    Raises:
        InputError: A value is of the wrong type, or the name is empty.
    """
    if "name" in changes:
        check_name(changes["name"])
    check_sample_content(without_none(changes))
