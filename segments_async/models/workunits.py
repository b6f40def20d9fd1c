"""Work units: the time that people spend on samples."""

from datetime import datetime
from typing import Any

from attrs import define

from segments_async.models._base import Model


@define(kw_only=True)
class Workunit(Model):
    """A period of labelling or reviewing. Source: the official SDK; ``docs/service.md``, "Work units"."""

    uuid: str | None = None
    """The identifier assigned by the service; not always sent."""
    sample_uuid: str | None = None
    """The sample that was worked on."""
    sample_name: str | None = None
    """The name of that sample."""
    work_type: str | None = None
    """The type of work: ``"label"``, ``"review"`` or ``"normal"``."""
    next_label_status: str | None = None
    """The resulting status of the label: one of `LabelStatus`."""
    time: float | None = None
    """Time of work since the sample was loaded or last saved, without `inactive_time`, in milliseconds."""
    inactive_time: float | None = None
    """Time without input, in milliseconds."""
    label_rating: float | None = None
    """The rating by a reviewer, in stars."""
    session_time_metrics: dict[str, Any] | None = None
    """Further metrics of the time, in the format of the service; only sent on request."""
    created_at: datetime | str | None = None
    """When it was recorded."""
    created_by: str | None = None
    """Username of the creator."""
