"""
Progress bars for bulk runs (extra ``progress``): `tqdm_progress` and `rich_progress`.

Example:
    ::

        from segments_async.progress import tqdm_progress

        await client.labels.put_many(labels, progress=tqdm_progress("Labels"))

A bar appears when its run has something to tell and is closed when the run ends, also where that is by an error or a
cancellation. It can be used for one run after the other, not for two at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import rich.progress

    from segments_async.bulk import Progress

__all__ = ["rich_progress", "tqdm_progress"]

WORTH_SAYING = 50_000
"""Bytes a second that are not shown as 0.0 MB/s."""


def tqdm_progress(description: str | None = None, **options: Any) -> Callable[[Progress], None]:
    """
    Make a bar of tqdm, in a terminal or a notebook.

    Example:
        ::

            await client.samples.create_many("jane/flowers", samples, progress=tqdm_progress("Samples"))

    Args:
        description: What stands before it.
        options: Arguments of `tqdm.tqdm`, such as ``leave=False``.

    Returns:
        Something to give as ``progress=``.

    Raises:
        ImportError: tqdm is not installed.
    """
    make = _imported("tqdm.auto").tqdm
    bar: Any = None

    def tell(progress: Progress) -> None:
        nonlocal bar
        if bar is None:
            bar = make(**{"desc": description, "total": progress.total, "unit": " items", **options})
        bar.set_postfix_str(_remarks(progress), refresh=False)
        bar.update(progress.done - bar.n)
        if progress.finished:
            bar, ended = None, bar
            ended.close()

    return tell


def rich_progress(
    description: str = "", *, progress: rich.progress.Progress | None = None
) -> Callable[[Progress], None]:
    """
    Make a bar of rich.

    Example:
        ::

            await client.samples.create_many("jane/flowers", samples, progress=rich_progress("Samples"))

            with rich.progress.Progress() as bars:  # yours, for several runs at the same time
                await client.labels.put_many(labels, progress=rich_progress("Labels", progress=bars))

    Args:
        description: What stands before it.
        progress: A `rich.progress.Progress` of yours that a task is added to; starting and stopping it is your
            business then. Its columns can show ``{task.fields[remarks]}``.

    Returns:
        Something to give as ``progress=``.

    Raises:
        ImportError: rich is not installed.
    """
    module = _imported("rich.progress")
    bars: Any = progress
    task: Any = None

    def tell(state: Progress) -> None:
        nonlocal bars, task
        if task is None:
            if bars is None:
                bars = _rich_bars(module)
                bars.start()
            task = bars.add_task(description, total=state.total, remarks="")
        bars.update(task, completed=state.done, remarks=_remarks(state))
        if state.finished:
            bars.stop_task(task)
            task = None
            if progress is None:
                bars.stop()
                bars = None

    return tell


def _rich_bars(module: Any) -> Any:
    """The usual columns, and what there is to remark."""
    return module.Progress(
        module.TextColumn("{task.description}"),
        module.BarColumn(),
        module.MofNCompleteColumn(),
        module.TimeElapsedColumn(),
        module.TimeRemainingColumn(),
        module.TextColumn("{task.fields[remarks]}"),
    )


def _remarks(progress: Progress) -> str:
    """What is out of the ordinary, and how many bytes go out."""
    words = [
        f"{progress.failed:,} failed" if progress.failed else "",
        f"throttled {progress.throttled:,}x, {progress.limit} at once" if progress.throttled else "",
        f"{progress.bytes_per_second / 1e6:.1f} MB/s" if progress.bytes_per_second >= WORTH_SAYING else "",
    ]
    return ", ".join(filter(None, words))


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ImportError(
            f'a progress bar of {library} needs the extra: pip install "segments-async[progress]" ({error})',
            name=library,
        ) from error
