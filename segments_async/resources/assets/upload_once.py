"""Uploading a file as an asset, and only once for an item of a bulk run that is started several times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from segments_async._serialization.converter import structure
from segments_async._serialization.json import decode_json, encode_json
from segments_async._transfer.upload import inspect_source, put_file
from segments_async._wire.routes import CREATE_ASSET
from segments_async.bulk.journal import FileRow
from segments_async.errors import DecodeError
from segments_async.models import Asset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk.operation import Job
    from segments_async.models import FileSource


async def upload_asset(
    session: Session, file: FileSource, filename: str | None, stats: CallStats, *, path: str = "file"
) -> Asset:
    """
    Ask the service for a place, and upload *file* there.

    Args:
        session: Makes the calls.
        file: As for ``assets.upload``.
        filename: Likewise.
        stats: Collects counts of the calls.
        path: What the argument is called in errors.
    """
    source = await inspect_source(file, filename, path)
    asset = await session.call(CREATE_ASSET, Asset, json={"filename": source.filename}, stats=stats)
    post = asset.presigned_post_fields
    if post is None:
        raise DecodeError("the answer does not say where to upload", path="presignedPostFields", payload=asset)
    await put_file(session, post.url, post.fields, source, stats)
    return asset


async def upload_once(
    job: Job,
    place: int,
    digest: bytes | None,
    note: Callable[[FileRow], None] | None,
    upload: Callable[[], Awaitable[Asset]],
) -> Asset:
    """
    Give the asset of a file that is up already, or upload it, and have that noted.

    Args:
        job: The item, with what the checkpoint knows of its files.
        place: Which of its files it is.
        digest: Tells whether the file is still the same; None if nothing does.
        note: Has the checkpoint note that it is up; None if there is no checkpoint.
        upload: Uploads it.
    """
    known = job.files.get(place)
    if known is not None and known.digest == digest:
        return structure(decode_json(known.asset.encode()), Asset)
    asset = attrs.evolve(await upload(), presigned_post_fields=None)
    if note is not None and digest is not None:
        note(FileRow(job.prepared.key, place, digest, asset.url, encode_json(asset).decode()))
    return asset
