from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segments_async._serialization.json import encode_json
from segments_async._wire.arguments import without_none
from segments_async._wire.contents import check_label_change, check_label_content
from segments_async._wire.filters import with_upper_status
from segments_async._wire.routes import UPDATE_LABEL
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.errors import InputError
from segments_async.models import Label, LabelUpdate
from segments_async.resources._operations import PerLabelOperation, split_label_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async.errors import SegmentsError


class UpdateLabels(PerLabelOperation[Label]):
    """Change labels, one per request, as the service has no call for several."""

    kind = "labels.update_many"
    items_name = "changes"

    def prepare(self, item: Any) -> Prepared:
        """Check a change and encode its body."""
        if isinstance(item, LabelUpdate):
            uuid, labelset, changes = item.sample_uuid, item.labelset, dict(item.changes)
        elif isinstance(item, Mapping):
            uuid, labelset, changes = split_label_keys(item)
            check_label_change(changes)
        else:
            raise InputError(f"expected a LabelUpdate or a mapping, got {type(item).__name__}")
        check_label_changes(changes)
        return self.prepare_label(uuid, labelset, encode_json(with_upper_status(changes)))

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Label] | SegmentsError]:
        """Change one label."""
        path, content = jobs[0].prepared.body
        label = await self._call_for_value(UPDATE_LABEL, Label, path=path, content=content, stats=stats)
        return [Success("done", label)]


def check_label_changes(changes: Mapping[str, Any]) -> None:
    """
    Refuse changes that do not fit a label; None is sent as null, which every field accepts.

    Raises:
        InputError: A value is of the wrong type.
    """
    check_label_content(without_none(changes))
