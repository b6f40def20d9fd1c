"""An upload in progress, and its status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import anyio
from attrs import define, field
from pydantic import BaseModel

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from segments_async.bulk import BulkOptions, Progress
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


@define(eq=False)
class Upload:
    """An upload in progress, as passed to its function."""

    record: Record
    folder: Path
    status: UploadStatus
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    changed: anyio.Event = field(factory=anyio.Event)
    ended: anyio.Event = field(factory=anyio.Event)
    parts: dict[str, Progress] = field(factory=dict)
    cancel_requested: bool = False

    @property
    def id(self) -> str:
        """Identifies the upload in the routes."""
        return self.record.id

    def options(self, part: str = "") -> BulkOptions:
        """
        Return the options for a bulk call: its checkpoint and its progress callback.

        Example:
            ::

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

        return {"checkpoint": self.folder / f"{self.id}{part and '-' + part}.checkpoint", "progress": report}

    def update(self, **changes: Any) -> None:
        """Change the status and notify all waiters."""
        self.status = self.status.model_copy(update=changes)
        self.changed.set()
        self.changed = anyio.Event()


def _sum_parts(parts: Collection[Progress]) -> dict[str, Any]:
    known = list(parts)
    totals = [progress.total for progress in known]
    return {
        "done": sum(progress.done for progress in known),
        "failed": sum(progress.failed for progress in known),
        "total": None if None in totals else sum(totals),
        "remaining": known[-1].remaining,
    }
