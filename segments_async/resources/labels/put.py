from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segments_async._serialization.converter import unstructure
from segments_async._serialization.json import encode_json
from segments_async._wire.arguments import without_none
from segments_async._wire.contents import check_label, check_label_keys, is_of_unknown_type
from segments_async._wire.dataset_rules import DatasetRules
from segments_async._wire.filters import with_upper_status
from segments_async._wire.routes import PUT_LABEL
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.errors import InputError
from segments_async.models import Label, LabelPut
from segments_async.resources._operations import PerLabelOperation, split_label_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings
    from segments_async.errors import SegmentsError
    from segments_async.models import Dataset

_FIELDS = ("sample_uuid", "labelset", "attributes", "label_status", "score")
"""The fields of a label that its creator sets; the service sets the others."""


class PutLabels(PerLabelOperation[Label]):
    """Put labels, one per request, as the service has no call for several."""

    kind = "labels.put_many"
    items_name = "labels"

    def __init__(
        self, session: Session, labelset: str, settings: BulkSettings, *, dataset: Dataset | None = None
    ) -> None:
        self._rules: DatasetRules | None = DatasetRules.of(dataset)
        super().__init__(session, labelset, settings)

    def prepare(self, item: Any) -> Prepared:
        """Check a label and encode its body."""
        fields = _fields_of(item)
        check_label(fields, self._rules, may_be_unlike_any=isinstance(item, Label) and is_of_unknown_type(item))
        uuid, labelset, body = split_label_keys(with_upper_status(fields))
        return self.prepare_label(uuid, labelset, encode_json(body))

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Label] | SegmentsError]:
        """Put one label."""
        path, content = jobs[0].prepared.body
        label = await self._call_for_value(PUT_LABEL, Label, path=path, content=content, stats=stats)
        return [Success("done", label)]


def _fields_of(item: Any) -> dict[str, Any]:
    """Convert an item to the keys of `LabelPut`; the default status is PRELABELED, as in `put`."""
    if isinstance(item, LabelPut | Label):
        given = {name: getattr(item, name) for name in _FIELDS}
        # The other fields of a Label were set by the service, not by the caller.
        return {
            "label_status": "PRELABELED",
            **without_none(given),
            **(item.extra if isinstance(item, LabelPut) else {}),
        }
    if isinstance(item, Mapping):
        check_label_keys(item)  # before the default status is added, which "label_statis" may have meant
        return {"label_status": "PRELABELED", **item}
    if hasattr(item, "model_dump"):  # a label of the official SDK
        given = {name: value for name, value in unstructure(item).items() if name in _FIELDS}
        return {"label_status": "PRELABELED", **without_none(given)}
    raise InputError(f"expected a LabelPut, a Label or a mapping, got {type(item).__name__}")
