"""Addresses of files."""

from attrs import define, field

from segments_async.models._base import Model


@define(kw_only=True)
class URL(Model):
    """Where a file is. Source: API documentation, "GET .../samples", and the official SDK."""

    url: str
    """The file's address."""
    signed_url: str | None = field(default=None, repr=False)
    """An address that opens for a while without logging in; a credential, so no repr shows it."""
