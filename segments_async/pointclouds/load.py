"""Load point clouds from URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._threads import run_sync
from segments_async._transfer.download import MAX_READ_BYTES
from segments_async.errors import DecodeError
from segments_async.pointclouds.reading import read_pointcloud

if TYPE_CHECKING:
    from segments_async._client import AsyncSegments
    from segments_async.models import PCD
    from segments_async.pointclouds.clouds import PointCloud


async def load_pointcloud_from_url(
    client: AsyncSegments, url: str | PCD, type: str | None = None, *, max_bytes: int = MAX_READ_BYTES
) -> PointCloud:
    """
    Download a point cloud, and read it in a worker thread.

    Example::

        sample = await client.samples.get(uuid, include_signed_urls=True)
        cloud = await load_pointcloud_from_url(client, sample.attributes.pcd)

    Args:
        client: The client, whose connections are used; the host never receives the API key.
        url: The address, signed if the file is in a private bucket; or the `PCD` of a sample.
        type: As in `read_pointcloud`; by default that of a `PCD`.
        max_bytes: Size of the file at most, in bytes; 100 MB by default.

    Returns:
        The points, in the order of the file.

    Raises:
        InputError: The file is larger, or as in `read_pointcloud`.
        NotFoundError: There is no such file.
        DecodeError: As in `read_pointcloud`.
    """
    address = url if isinstance(url, str) else url.url
    kind = type if isinstance(url, str) or type is not None else url.type
    content = await client.assets.read(address, max_bytes=max_bytes)
    try:
        return await run_sync(read_pointcloud, content, kind)
    except DecodeError as error:
        raise DecodeError(f"the file {error.problem}", path="url") from error.__cause__
