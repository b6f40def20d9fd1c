"""URLs of files."""

from attrs import define, field

from segments_async.models._base import Model


@define(kw_only=True)
class URL(Model):
    """The address of a file. Source: API documentation, "GET .../samples", and the official SDK."""

    url: str
    """The URL of the file."""
    signed_url: str | None = field(default=None, repr=False)
    """A temporary URL that requires no login; it is a credential, so `repr` omits it."""
