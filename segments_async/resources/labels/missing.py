"""What a 404 on a label means: the service answers the same if the sample, the labelset or the label is missing."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from segments_async._wire.routes import GET_SAMPLE
from segments_async.errors import NotFoundError, SegmentsError
from segments_async.settings import RetryPolicy

if TYPE_CHECKING:
    from types import TracebackType

    from segments_async._http.session import Session

_ONCE = RetryPolicy(attempts=1)


class MissingExplained:
    """
    Add a note to a NotFoundError of the block: the sample is missing or, if it is there, *otherwise*.

    One request asks for the sample, unless the service has said it. If it fails for another reason, there is no note.
    A class, as each call of a single label runs in it, and a generator costs four times as much.
    """

    def __init__(self, session: Session, sample_uuid: str, otherwise: str) -> None:
        self._session = session
        self._sample_uuid = sample_uuid
        self._otherwise = otherwise

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, NotFoundError) and not _says_what(error.detail):
            with suppress(SegmentsError):
                error.add_note(await _explain(self._session, self._sample_uuid, self._otherwise))


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
