from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._session import Trace
from segments_async._storage import look_at, put_file
from segments_async._wire.endpoint import Endpoint
from segments_async.errors import DecodeError
from segments_async.models import Asset
from segments_async.resources._base import Resource

if TYPE_CHECKING:
    from segments_async.models import FileSource

_CREATE = Endpoint(method="POST", path="/assets/")


class Assets(Resource):
    """
    Files in the service's own storage.

    Source: the official SDK, ``upload_asset`` (`api.md`).
    """

    async def upload(self, file: FileSource, filename: str | None = None) -> Asset:
        """
        Upload a file of 100 MB at most; it is read from disk in pieces, never whole.

        Example:
            ::

                asset = await client.assets.upload("violet.jpg")
                await client.samples.create("jane/flowers", "violet", {"image": {"url": asset.url}})

        Args:
            file: A path, the bytes, or a file opened with mode ``"rb"``.
            filename: Its name on the service, whose extension decides the content type; by default the path's.

        Returns:
            The asset; its `url` is the file's address from then on.

        Raises:
            InputError: There is no such file, it is empty or above 100 MB, or it has no name.
        """
        return await self.upload_traced(file, filename, Trace())

    async def upload_traced(self, file: FileSource, filename: str | None, trace: Trace, path: str = "file") -> Asset:
        """Upload as `upload` does; *trace* is filled in on the way."""
        upload = await look_at(file, filename, path)
        asset = await self._session.call(_CREATE, Asset, json={"filename": upload.filename}, trace=trace)
        post = asset.presigned_post_fields
        if post is None:
            raise DecodeError("the answer does not say where to upload", path="presignedPostFields", payload=asset)
        await put_file(self._session, post.url, post.fields, upload, trace)
        return asset
