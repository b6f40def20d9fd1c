"""Files in the storage of the service."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import IO, Any, BinaryIO, Protocol

from attrs import define, field

from segments_async._counting import counted
from segments_async.models._base import Model, wire_name
from segments_async.models.sample_attributes import SampleAttributes


class _UploadFile(Protocol):
    """Starlette's ``UploadFile``, as FastAPI passes it to a route."""

    file: BinaryIO
    filename: str | None

    async def read(self, size: int = -1, /) -> bytes: ...


FileSource = str | PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | _UploadFile
"""A path, the content as bytes, an open binary file, or an ``UploadFile`` of FastAPI."""


@define(kw_only=True)
class PresignedPost(Model):
    """The address and form fields for uploading a file. Source: the official SDK."""

    url: str
    """The address of the storage host, which must never receive the API key."""
    fields: dict[str, str] = field(repr=False)
    """The form fields, exactly as the service sent them; they are a credential."""


@define(kw_only=True)
class Asset(Model):
    """A file in the storage of the service. Source: the official SDK, where it is called File."""

    url: str
    """The URL of the uploaded file, for use as in ``{"image": {"url": ...}}``."""
    uuid: str | None = None
    """The identifier assigned by the service."""
    filename: str | None = None
    """The name under which it was uploaded."""
    created_at: datetime | str | None = None
    """When it was created."""
    presigned_post_fields: PresignedPost | None = field(
        default=None, repr=False, metadata=wire_name("presignedPostFields")
    )
    """Where to upload the content; used by ``assets.upload``."""


@define
class FileSample:
    """
    A sample of local files, for ``samples.upload_files``.

    Example:
        >>> FileSample("violet", "violet.png")
        FileSample(name='violet', files='violet.png')
        >>> clip = FileSample(
        ...     "clip",
        ...     ["0.png", "1.png"],
        ...     lambda assets: {"frames": [{"image": {"url": asset.url}} for asset in assets]},
        ... )

    Args:
        name: Unique in its dataset.
        files: The file or files to upload: paths, bytes, open binary files; an `Asset` is already uploaded.
        attributes: A function that creates the attributes from the list of uploaded files; not needed for one image.
        metadata: Your own metadata, by key.
        priority: Priority in the labelling queue: higher comes first; 0 if not given.
        assigned_labeler: Username of the labeler it is assigned to.
        assigned_reviewer: Username of the reviewer it is assigned to.
        readme: Markdown text, displayed next to the sample.
    """

    name: str
    """Unique in its dataset."""
    files: FileSource | Asset | Sequence[FileSource | Asset] = field(
        repr=lambda files: f"<{counted(len(files), 'byte')}>" if isinstance(files, bytes) else repr(files)
    )
    """The file or files to upload; an `Asset` is already uploaded."""
    attributes: Callable[[list[Asset]], SampleAttributes | Mapping[str, Any]] | None = field(default=None, repr=False)
    """Creates the attributes from the uploaded files, in order; None creates an image sample from the only file."""
    metadata: Mapping[str, Any] | None = field(default=None, kw_only=True, repr=False)
    """Your own metadata, by key."""
    priority: float | None = field(default=None, kw_only=True, repr=False)
    """Priority in the labelling queue: higher comes first; 0 if not given."""
    assigned_labeler: str | None = field(default=None, kw_only=True, repr=False)
    """Username of the labeler it is assigned to."""
    assigned_reviewer: str | None = field(default=None, kw_only=True, repr=False)
    """Username of the reviewer it is assigned to."""
    readme: str | None = field(default=None, kw_only=True, repr=False)
    """Markdown text, displayed next to the sample."""
