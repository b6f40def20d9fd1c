"""An upload in progress, and its status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import anyio
from attrs import define, field
from pydantic import BaseModel

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from segments_async.bulk import BulkOptions, Progress, RedisCheckpoint
    from segments_async.fastapi._records import Record

State = Literal["queued", "running", "done", "failed", "cancelled"]
ACTIVE: frozenset[State] = frozenset({"queued", "running"})
"""The states of an upload that has not ended."""


class UploadStatus(BaseModel):
    """The status of an upload, as the routes return it."""

    id: str
    """Identifies the upload in the routes."""
    kind: str
    """Name of the function that runs it."""
    state: State
    """
    ``queued`` until there is room for it, then ``running``; ``done`` if the function returned, even if items failed;
    ``failed`` if it raised or the run was stopped; ``cancelled``.
    """
    done: int = 0
    """Number of finished items, including failed ones."""
    failed: int = 0
    """Number of failed items."""
    total: int | None = None
    """Total number of items; None if unknown."""
    remaining: float | None = None
    """Estimated seconds until the end at the current rate; None if unknown."""
    detail: str | None = None
    """Why the upload failed, in terms that are safe to show to end users."""


class Followed(Protocol):
    """An upload whose changes a caller waits for."""

    status: UploadStatus

    async def wait_for_change(self, seen: UploadStatus) -> None:
        """Wait until the status is not *seen* any more."""


@define(eq=False)
class Upload:
    """An upload in progress, as passed to its function."""

    record: Record
    """What is stored of it: its input, and when it was started."""
    folder: Path | None
    """The folder of the uploads; None on a queue."""
    status: UploadStatus
    """The status now; `update` replaces it."""
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    """Cancels the function."""
    changed: anyio.Event = field(factory=anyio.Event)
    """Set at the next change of the status, and then replaced."""
    ended: anyio.Event = field(factory=anyio.Event)
    """Set when the function has ended."""
    parts: dict[str, Progress] = field(factory=dict)
    """The progress of each part, by its name."""
    parts_named: set[str] = field(factory=set)
    """The parts whose options were asked for."""
    cancel_requested: bool = False
    """Whether a user cancelled it, so that the next start does not continue it."""
    shared_checkpoint: Callable[[str], RedisCheckpoint] | None = None
    """Returns the checkpoint of a part, on a queue."""

    @property
    def id(self) -> str:
        """Identifies the upload in the routes."""
        return self.record.id

    def options(self, part: str = "") -> BulkOptions:
        """
        Return the options for a bulk call: its checkpoint and its progress callback.

        Example::

            await client.samples.upload_files(dataset, files, **upload.options())

        Args:
            part: A name for the call, if the function makes several.

        Raises:
            InputError: *part* is not a valid identifier.
        """
        if not (part.isidentifier() or not part):
            raise InputError(f"expected a name such as 'labels', got {part!r}", path="part")

        def report(progress: Progress) -> None:
            self.parts[part] = progress
            self.update(**_sum_parts(self.parts.values()))

        self.parts_named.add(part)
        return {"checkpoint": self._checkpoint(part), "progress": report}

    def _checkpoint(self, part: str) -> Path | RedisCheckpoint:
        if self.shared_checkpoint is not None:
            return self.shared_checkpoint(part)
        assert self.folder is not None
        return self.folder / f"{self.id}{part and '-' + part}.checkpoint"

    def update(self, **changes: Any) -> None:
        """Change the status and notify all waiters."""
        self.status = self.status.model_copy(update=changes)
        self.changed.set()
        self.changed = anyio.Event()

    async def wait_for_change(self, seen: UploadStatus) -> None:
        """Wait until the status is not *seen* any more, or this run of the upload is replaced by another."""
        if self.status is seen:
            await self.changed.wait()


def _sum_parts(parts: Collection[Progress]) -> dict[str, Any]:
    known = list(parts)
    totals = [progress.total for progress in known]
    return {
        "done": sum(progress.done for progress in known),
        "failed": sum(progress.failed for progress in known),
        "total": None if None in totals else sum(totals),
        "remaining": known[-1].remaining,
    }
