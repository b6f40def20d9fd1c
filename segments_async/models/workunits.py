"""Work units: the time that people spend on samples."""

from datetime import datetime
from typing import Any

from attrs import define

from segments_async.models._base import Model


@define(kw_only=True)
class Workunit(Model):
    """A period of labelling or reviewing. Source: the official SDK, which does not document the unit of times."""

    uuid: str | None = None
    """The identifier assigned by the service; not always sent."""
    sample_uuid: str | None = None
    """The sample that was worked on."""
    sample_name: str | None = None
    """The name of that sample."""
    work_type: str | None = None
    """The type of work, as named by the service."""
    next_label_status: str | None = None
    """The resulting status of the label: one of `LabelStatus`."""
    time: float | None = None
    """Time of work; in seconds, if as `Dataset.labeling_inactivity_timeout_seconds`."""
    inactive_time: float | None = None
    """Time without input, in the same unit."""
    label_rating: float | None = None
    """The rating by a reviewer, in stars."""
    session_time_metrics: dict[str, Any] | None = None
    """Further metrics of the time, in the format of the service; only sent on request."""
    created_at: datetime | str | None = None
    """When it was recorded."""
    created_by: str | None = None
    """Username of the creator."""
