"""
Progress bars for bulk runs (extra ``progress``): `tqdm_progress` and `rich_progress`.

Example::

    from segments_async.progress import tqdm_progress

    await client.labels.put_many(labels, progress=tqdm_progress("Labels"))

A bar appears with the first progress report of its run. It is closed when the run ends, even after an error or a
cancellation. It can be reused for several runs in sequence, but not for two at the same time.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import rich.progress

    from segments_async.bulk import Progress

__all__ = ["rich_progress", "tqdm_progress"]

_MIN_BYTES_PER_SECOND = 50_000
"""Minimum bytes per second that are not displayed as 0.0 MB/s."""


def tqdm_progress(description: str | None = None, **options: Any) -> Callable[[Progress], None]:
    """
    Create a tqdm progress bar, for a terminal or a notebook; without ipywidgets, a notebook shows it as text.

    Example::

        await client.samples.create_many("jane/flowers", samples, progress=tqdm_progress("Samples"))

    Args:
        description: Text before the bar.
        options: Arguments of `tqdm.tqdm`, such as ``leave=False``, or ``total=`` for an input without a length, such as
            a generator.

    Returns:
        A callback to pass as ``progress=``.

    Raises:
        ImportError: tqdm is not installed.
    """
    make = _import("tqdm.auto" if _draws_widgets() else "tqdm").tqdm
    bar: Any = None

    def update(progress: Progress) -> None:
        nonlocal bar
        if bar is None:
            bar = make(**{"desc": description, "total": progress.total, "unit": " items", **options})
        if "unit" not in options:
            bar.unit = " item" if progress.done == 1 else " items"
        bar.set_postfix_str(_format_remarks(progress), refresh=False)
        bar.update(progress.done - bar.n)
        if progress.finished:
            bar, finished_bar = None, bar
            finished_bar.close()

    return update


def rich_progress(
    description: str = "", *, total: int | None = None, progress: rich.progress.Progress | None = None
) -> Callable[[Progress], None]:
    """
    Create a rich progress bar, for a terminal or a notebook; without ipywidgets, a notebook shows it as text.

    Example::

        await client.samples.create_many("jane/flowers", samples, progress=rich_progress("Samples"))

        with rich.progress.Progress() as bars:  # shared by several concurrent runs
            await client.labels.put_many(labels, progress=rich_progress("Labels", progress=bars))

    Args:
        description: Text before the bar.
        total: The number of items, for an input without a length, such as a generator.
        progress: Your own `rich.progress.Progress`, to which a task is added. You start and stop it yourself. Its
            columns can show ``{task.fields[remarks]}``.

    Returns:
        A callback to pass as ``progress=``.

    Raises:
        ImportError: rich is not installed.
    """
    module = _import("rich.progress")
    bars: Any = progress
    task: Any = None

    def update(state: Progress) -> None:
        nonlocal bars, task
        if task is None:
            if bars is None:
                bars = _rich_bars(module)
                bars.start()
            task = bars.add_task(description, total=total or state.total, remarks="")
        bars.update(task, completed=state.done, remarks=_format_remarks(state))
        if state.finished:
            bars.stop_task(task)
            task = None
            if progress is None:
                bars.stop()
                bars = None

    return update


def _rich_bars(module: Any) -> Any:
    """Create the usual columns, and one for failures, throttling and throughput."""
    return module.Progress(
        module.TextColumn("{task.description}"),
        module.BarColumn(),
        module.MofNCompleteColumn(),
        module.TimeElapsedColumn(),
        module.TimeRemainingColumn(),
        module.TextColumn("{task.fields[remarks]}"),
        **_text_console(),
    )


def _format_remarks(progress: Progress) -> str:
    """Describe failures, unknown outcomes, throttling and throughput."""
    parts = [
        f"{progress.failed - progress.unknown:,} failed" if progress.failed > progress.unknown else "",
        f"{progress.unknown:,} unknown" if progress.unknown else "",
        f"throttled {progress.throttled:,}x, {progress.limit} at once" if progress.throttled else "",
        f"{progress.bytes_per_second / 1e6:.1f} MB/s" if progress.bytes_per_second >= _MIN_BYTES_PER_SECOND else "",
    ]
    return ", ".join(filter(None, parts))


def _text_console() -> dict[str, Any]:
    """Return the argument for bars of text, if rich would draw widgets that cannot be shown."""
    if _draws_widgets() or not _import("rich").get_console().is_jupyter:
        return {}
    return {"console": _import("rich.console").Console(force_jupyter=False)}


def _draws_widgets() -> bool:
    """Whether a notebook can show bars as widgets; without ipywidgets, tqdm and rich would warn instead."""
    return find_spec("ipywidgets") is not None


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ImportError(
            f'{library} is not available; install it with: pip install "segments-async[progress]" ({error})',
            name=library,
        ) from error
