"""Upload a file as an asset, and only once for an item of a bulk run that is resumed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from segments_async._serialization.converter import structure
from segments_async._serialization.json import decode_json, encode_json
from segments_async._transfer.upload import inspect_source, put_file
from segments_async._wire.routes import CREATE_ASSET
from segments_async.bulk.journal import FileRow
from segments_async.errors import ApiError, DecodeError
from segments_async.models import Asset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk.operation import Job
    from segments_async.models import FileSource

MAX_RENEWALS = 2
"""How often a bulk call requests another address for one file, if addresses expire in the queue."""
_FORBIDDEN = 403


async def upload_asset(
    session: Session, file: FileSource, filename: str | None, stats: CallStats, *, path: str = "file", renewals: int = 0
) -> Asset:
    """
    Create an asset, and upload *file* to its storage address.

    Args:
        session: Makes the calls.
        file: As for ``assets.upload``.
        filename: As for ``assets.upload``.
        stats: Collects counts of the calls.
        path: Name of the argument in errors.
        renewals: How often another address is requested, if it expired while the file was waiting.
    """
    source = await inspect_source(file, filename, path)
    while True:
        asset = await session.call(CREATE_ASSET, Asset, json={"filename": source.filename}, stats=stats)
        post = asset.presigned_post_fields
        if post is None:
            raise DecodeError("the answer does not say where to upload", path="presignedPostFields", payload=asset)
        try:
            await put_file(session, post.url, post.fields, source, stats)
        except ApiError as error:
            if not renewals or not _has_expired(error):
                raise
            renewals -= 1
        else:
            return asset


def _has_expired(error: ApiError) -> bool:
    """Whether storage refuses the presigned address because it has expired."""
    return error.status == _FORBIDDEN and "expired" in f"{error.detail} {error.body}".lower()


async def upload_once(
    job: Job,
    index: int,
    digest: bytes | None,
    note: Callable[[FileRow], None] | None,
    upload: Callable[[], Awaitable[Asset]],
) -> Asset:
    """
    Return the asset of a file that was uploaded before, or upload it and record that in the checkpoint.

    Args:
        job: The item, with the files that the checkpoint has for it.
        index: Index of the file among those of the item.
        digest: Identifies the file's content; None if there is no such digest.
        note: Records the uploaded file in the checkpoint; None if there is no checkpoint.
        upload: Uploads the file.
    """
    known = job.files.get(index)
    if known is not None and known.digest == digest:
        with suppress(DecodeError):  # a damaged record counts as none
            return structure(decode_json(known.asset.encode()), Asset)
    asset = attrs.evolve(await upload(), presigned_post_fields=None)
    if note is not None and digest is not None:
        note(FileRow(job.prepared.key, index, digest, asset.url, encode_json(asset).decode()))
    return asset
