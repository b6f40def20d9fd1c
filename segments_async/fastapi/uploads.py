"""An upload under way, and how far it is."""

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

State = Literal["running", "done", "failed", "cancelled"]


class UploadStatus(BaseModel):
    """How far an upload is; what the routes answer."""

    id: str
    """Names it in the routes."""
    kind: str
    """The function that does it."""
    state: State
    """``done`` if the function returned, even if items failed; ``failed`` if it raised, or the run was stopped."""
    done: int = 0
    """Items that are through, failures included."""
    failed: int = 0
    """Items that failed."""
    total: int | None = None
    """Items in all, if that is known."""
    remaining: float | None = None
    """Seconds that the rest takes at this pace, if that can be told."""
    detail: str | None = None
    """Why it failed, in words for end users."""


@define(eq=False)
class Upload:
    """An upload under way, as its function sees it."""

    record: Record
    folder: Path
    status: UploadStatus
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    changed: anyio.Event = field(factory=anyio.Event)
    ended: anyio.Event = field(factory=anyio.Event)
    parts: dict[str, Progress] = field(factory=dict)

    @property
    def id(self) -> str:
        """Names it in the routes."""
        return self.record.id

    def options(self, part: str = "") -> BulkOptions:
        """
        Give what a bulk call has to know: where its checkpoint is, and whom to tell of its progress.

        Example:
            ::

                await client.samples.upload_files(dataset, files, **upload.options())

        Args:
            part: Names the call, where the function makes several.
        """
        if not (part.isidentifier() or not part):
            raise InputError(f"expected a name such as 'labels', got {part!r}", path="part")

        def tell(progress: Progress) -> None:
            self.parts[part] = progress
            self.update(**_sums(self.parts.values()))

        return {"checkpoint": self.folder / f"{self.id}{part and '-' + part}.checkpoint", "progress": tell}

    def update(self, **changes: Any) -> None:
        """Change the status, and tell everybody who waits for that."""
        self.status = self.status.model_copy(update=changes)
        self.changed.set()
        self.changed = anyio.Event()


def _sums(parts: Collection[Progress]) -> dict[str, Any]:
    known = list(parts)
    totals = [progress.total for progress in known]
    return {
        "done": sum(progress.done for progress in known),
        "failed": sum(progress.failed for progress in known),
        "total": None if None in totals else sum(totals),
        "remaining": known[-1].remaining,
    }
