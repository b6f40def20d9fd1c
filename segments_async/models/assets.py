"""Files in the service's own storage."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import IO, Any

from attrs import define, field

from segments_async.models._base import Model, wire_name
from segments_async.models.sample_attributes import SampleAttributes

FileSource = str | PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""A path, the content itself, or an open binary file."""


@define(kw_only=True)
class PresignedPost(Model):
    """Where and how to post a file. Source: the official SDK."""

    url: str
    """The storage host's address; it must never see the API key."""
    fields: dict[str, str] = field(repr=False)
    """The form's fields, in the service's own spelling; they are a credential."""


@define(kw_only=True)
class Asset(Model):
    """A file in the service's storage. Source: the official SDK (there called File)."""

    url: str
    """The file's address from then on, as in ``{"image": {"url": ...}}``."""
    uuid: str | None = None
    """The service's identifier."""
    filename: str | None = None
    """The name it was uploaded under."""
    created_at: datetime | str | None = None
    """When it was made."""
    presigned_post_fields: PresignedPost | None = field(
        default=None, repr=False, metadata=wire_name("presignedPostFields")
    )
    """How to upload the content; used by ``assets.upload``."""


@define
class FileSample:
    """
    A sample made of files on this machine, for ``samples.upload_files``.

    Example:
        >>> FileSample("violet", "violet.png")
        FileSample(name='violet', files='violet.png')
        >>> clip = FileSample(
        ...     "clip",
        ...     ["0.png", "1.png"],
        ...     lambda assets: {"frames": [{"image": {"url": asset.url}} for asset in assets]},
        ... )
    """

    name: str
    """Unique in its dataset."""
    files: FileSource | Asset | Sequence[FileSource | Asset] = field(
        repr=lambda files: f"<{len(files)} bytes>" if isinstance(files, bytes) else repr(files)
    )
    """The file, or the files, to upload; an `Asset` is up already."""
    attributes: Callable[[list[Asset]], SampleAttributes | Mapping[str, Any]] | None = field(default=None, repr=False)
    """Makes the sample's attributes of the uploaded files, in order; None: an image, of the only file."""
    metadata: Mapping[str, Any] | None = field(default=None, kw_only=True, repr=False)
    """Yours."""
    priority: float | None = field(default=None, kw_only=True, repr=False)
    """Place in the labelling queue: higher comes first, 0 if not given."""
    assigned_labeler: str | None = field(default=None, kw_only=True, repr=False)
    """Username of who should label it."""
    assigned_reviewer: str | None = field(default=None, kw_only=True, repr=False)
    """Username of who should review it."""
    readme: str | None = field(default=None, kw_only=True, repr=False)
    """Markdown, shown beside the sample."""
