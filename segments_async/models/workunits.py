"""Work units: the time that people spend on samples."""

from datetime import datetime
from typing import Any

from attrs import define

from segments_async.models._base import Model


@define(kw_only=True)
class Workunit(Model):
    """One stretch of labelling or reviewing. Source: the official SDK, which gives no unit for the times."""

    uuid: str | None = None
    """The service's identifier; not always sent."""
    sample_uuid: str | None = None
    """The sample that was worked on."""
    sample_name: str | None = None
    """The name of that sample."""
    work_type: str | None = None
    """What was done, in the service's own words."""
    next_label_status: str | None = None
    """One of `LabelStatus`: what the label became."""
    time: float | None = None
    """Time of work; in seconds, if as `Dataset.labeling_inactivity_timeout_seconds`."""
    inactive_time: float | None = None
    """Time without input, likewise."""
    label_rating: float | None = None
    """A reviewer's stars."""
    session_time_metrics: dict[str, Any] | None = None
    """More about the time, as the service defines it; only sent when asked for."""
    created_at: datetime | str | None = None
    """When it was noted down."""
    created_by: str | None = None
    """Username."""
