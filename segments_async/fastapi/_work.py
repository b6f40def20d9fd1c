"""Run the function of an upload, whatever it raises."""

from __future__ import annotations

import asyncio
import logging
import math
from copy import deepcopy
from typing import TYPE_CHECKING

import anyio

from segments_async.errors import SegmentsError
from segments_async.fastapi.problems import public_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._client import AsyncSegments
    from segments_async.fastapi._kinds import Kinds, Work
    from segments_async.fastapi.uploads import State, Upload

logger: logging.Logger = logging.getLogger("segments_async")


async def run_work(
    work: Work, upload: Upload, client: AsyncSegments, *, is_stopping: Callable[[], bool]
) -> tuple[State, str | None] | None:
    """
    Call the function of an upload.

    Args:
        work: The function.
        upload: The upload.
        client: The client.
        is_stopping: Whether a cancelled upload is continued later, because its process stops.

    Returns:
        The state in which it ended, and why; None if it is continued later.
    """
    kind = upload.record.kind
    try:
        with upload.scope:
            # A copy, as the record is written again when the upload ends, and the function may change what it gets.
            report = await work(upload, client, **deepcopy(upload.record.arguments))
            if report is not None and report.stopped:
                logger.error("upload %s (%s): %s", upload.id, kind, report.as_error())
                return "failed", public_message(report.as_error())
            return "done", None
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except SegmentsError as error:
        if not upload.scope.cancel_called:
            logger.error("upload %s (%s) failed: %s", upload.id, kind, error)  # noqa: TRY400 (the message suffices)
            return "failed", public_message(error)
    except BaseException as error:
        if _is_cancelled():
            raise
        if isinstance(error, asyncio.CancelledError) and is_stopping() and not upload.cancel_requested:
            return None
        logger.exception("upload %s (%s) failed", upload.id, kind)
        if not upload.scope.cancel_called:
            return "failed", public_message(error)
    # Cancelled: by a caller, or by the end of the process.
    return None if is_stopping() and not upload.cancel_requested else ("cancelled", None)


def unaccepted(kind: str, kinds: Kinds) -> str:
    """Return why an upload of another version of the application cannot run."""
    if kind in kinds:
        return f"This version of the application does not accept the arguments of uploads of the kind {kind!r}."
    return f"This version of the application does not have the upload kind {kind!r}."


def _is_cancelled() -> bool:
    """Whether the current task is cancelled; a CancelledError may also come from a future that was cancelled."""
    if anyio.current_effective_deadline() == -math.inf:
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:  # trio, where each Cancelled is one of a scope
        return False
    return task is not None and task.cancelling() > 0
