"""Files that are uploaded for an item of a bulk run, once, however often the run is begun anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from segments_async._converter import structure
from segments_async._json import decode_json, encode_json
from segments_async.bulk.journal import FileRow
from segments_async.models import Asset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async.bulk.operation import Job


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
