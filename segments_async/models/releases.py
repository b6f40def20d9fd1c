"""Releases: snapshots of a dataset with its labels."""

from datetime import datetime

from attrs import define

from segments_async._misuse import OfficialNames
from segments_async.models._base import Model


@define(kw_only=True)
class ReleaseAttributes(Model):
    """The address of a release file. Source: API documentation, "GET .../releases"."""

    url: str | None = None
    """The URL of the release file (JSON), once it is built; it is not on the host of the API."""


@define(kw_only=True)
class Release(OfficialNames, Model):
    """A release. Source: API documentation, "GET .../releases", and the official SDK."""

    name: str
    """Unique in its dataset."""
    uuid: str | None = None
    """The identifier assigned by the service."""
    description: str | None = None
    """A short description."""
    release_type: str | None = None
    """The format of the file, such as ``"JSON"``."""
    attributes: ReleaseAttributes | None = None
    """The address of the file; None while the release is being built."""
    status: str | None = None
    """One of `ReleaseStatus`."""
    created_at: datetime | str | None = None
    """When it was requested."""
    samples_count: int | str | None = None
    """Number of samples; the service may send it as a string."""
