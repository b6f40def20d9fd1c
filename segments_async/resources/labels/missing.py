"""What a 404 on a label means: the service answers the same if the sample, the labelset or the label is missing."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from segments_async._wire.routes import GET_SAMPLE
from segments_async.errors import NotFoundError, SegmentsError
from segments_async.settings import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from segments_async._http.session import Session

_ONCE = RetryPolicy(attempts=1)


@asynccontextmanager
async def explain_missing(session: Session, sample_uuid: str, otherwise: str) -> AsyncIterator[None]:
    """
    Add a note to a NotFoundError: the sample is missing or, if it is there, *otherwise*.

    One request asks for the sample, unless the service has said it. If it fails for another reason, there is no note.
    """
    try:
        yield
    except NotFoundError as error:
        if not _says_what(error.detail):
            with suppress(SegmentsError):
                error.add_note(await _explain(session, sample_uuid, otherwise))
        raise


def no_label(labelset: str) -> str:
    """Describe what is missing where the sample exists."""
    return f"it has no label in {labelset!r}, or its dataset has no such labelset"


def no_labelset(labelset: str) -> str:
    """Describe what is missing where the sample exists, and need not have a label."""
    return f"its dataset has no labelset {labelset!r}"


def _says_what(words: str) -> bool:
    """Whether the service has named what is missing, as in "No Sample matches the given query."."""
    return any(word in words.lower() for word in ("sample", "label"))


async def _explain(session: Session, sample_uuid: str, otherwise: str) -> str:
    try:
        await session.derive(retry=_ONCE).call(GET_SAMPLE, Any, path={"uuid": sample_uuid})
    except NotFoundError:
        return f"there is no sample {sample_uuid!r}"
    return f"the sample exists, but {otherwise}"
