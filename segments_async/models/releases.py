"""Releases: snapshots of a dataset with its labels."""

from datetime import datetime

from attrs import define

from segments_async.models._base import Model


@define(kw_only=True)
class ReleaseAttributes(Model):
    """Where a release is. Source: API documentation, "GET .../releases"."""

    url: str | None = None
    """The release file (JSON), once it is built; not on the API's host."""


@define(kw_only=True)
class Release(Model):
    """A release. Source: API documentation, "GET .../releases", and the official SDK."""

    name: str
    """Unique in its dataset."""
    uuid: str | None = None
    """The service's identifier."""
    description: str | None = None
    """A line for people."""
    release_type: str | None = None
    """The format of the file, such as ``"JSON"``."""
    attributes: ReleaseAttributes | None = None
    """Where the file is; None while the release is being built."""
    status: str | None = None
    """One of `ReleaseStatus`."""
    created_at: datetime | str | None = None
    """When it was asked for."""
    samples_count: int | str | None = None
    """Number of samples; the service may send it as text."""
