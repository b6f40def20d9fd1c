"""Progress bars on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async.progress import rich_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async import Progress


def bar(description: str) -> Callable[[Progress], None]:
    """Create a progress bar that disappears at the end."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress as Bars,
        TextColumn,
        TimeRemainingColumn,
    )

    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[remarks]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )
    update = rich_progress(description, progress=bars)

    def show(progress: Progress) -> None:
        if not bars.live.is_started:
            bars.start()
        update(progress)
        if progress.finished:
            bars.stop()

    return show
