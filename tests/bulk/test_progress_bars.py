"""The bars of tqdm and of rich, as they are, drawn by real runs."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import anyio
import pytest
import rich.progress
from anyio import wait_all_tasks_blocked
from bulk_checks import samples
from echo_operation import Echo, bulk
from rich.console import Console

from segments_async import LabelPut, Progress, ServerError, TransportError
from segments_async.progress import rich_progress, tqdm_progress

pytestmark = pytest.mark.anyio


async def half_fails(numbers):
    if numbers[0] % 2:
        raise TransportError("lost")


class Tqdm:
    """A bar into a text."""

    def __init__(self):
        self.file = io.StringIO()

    def make(self, description, **options):
        return tqdm_progress(description, file=self.file, ascii=True, ncols=100, **options)

    @property
    def last(self):
        return self.file.getvalue().strip("\n").rpartition("\r")[2]


class Rich(Tqdm):
    """Likewise, with bars that are the caller's."""

    def __init__(self):
        super().__init__()
        self.console = Console(file=self.file, force_terminal=True, width=100, color_system=None)

    def make(self, description, **options):
        module = sys.modules["rich.progress"]
        original = module.Progress

        class Bars(original):
            def __init__(bars, *columns):  # noqa: N805 (self is taken)
                super().__init__(*columns, console=self.console)

        self.patch.setattr(module, "Progress", Bars)
        return rich_progress(description, **options)

    @property
    def last(self):
        lines = [line for line in self.file.getvalue().replace("\r", "\n").split("\n") if "Numbers" in line]
        return lines[-1]


@pytest.fixture(params=[Tqdm, Rich])
def bars(request, monkeypatch):
    made = request.param()
    made.patch = monkeypatch
    return made


async def test_run(bars):
    """It shows how many are through, and how many are unknown."""
    await bulk(range(20), Echo(half_fails), progress=bars.make("Numbers")).collect()

    assert "Numbers" in bars.last
    assert "20/20" in bars.last
    assert "10 unknown" in bars.last  # their requests may have arrived


async def test_stream(bars):
    """A run whose outcomes are looked at has its bar too."""
    async with bulk(iter(range(7)), progress=bars.make("Numbers")) as outcomes:
        assert len([outcome async for outcome in outcomes]) == 7
    assert "7" in bars.last


async def test_total_of_a_generator(bars):
    """It cannot be known, but it can be told."""
    await bulk(iter(range(7)), Echo(), progress=bars.make("Numbers", total=9)).collect()
    assert "7/9" in bars.last


@pytest.mark.parametrize("how", ["cancelled", "raised", "left"])
async def test_cleaned_up(bars, how):
    """The bar is closed however the run ends: no thread continues to draw."""
    show = bars.make("Numbers")
    before = set(threading.enumerate())
    stream = bulk(range(5), Echo(lambda _: anyio.sleep_forever()), progress=show)
    if how == "cancelled":
        async with anyio.create_task_group() as group:
            group.start_soon(stream.collect)
            await wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    elif how == "left":
        async with stream:
            await wait_all_tasks_blocked()
    else:
        with pytest.raises(ZeroDivisionError):
            await broken(stream)

    assert "2/5" in bars.last
    for thread in set(threading.enumerate()) - before:
        if "Refresh" in type(thread).__name__:
            thread.join(5)
            assert not thread.is_alive()


async def broken(stream):
    async with stream:
        await wait_all_tasks_blocked()
        raise ZeroDivisionError


async def test_one_after_the_other(bars):
    """The same bar starts from zero for the next run."""
    show = bars.make("Numbers")
    await bulk(range(3), progress=show).collect()
    await bulk(range(4), progress=show).collect()
    assert "4/4" in bars.last


async def test_bars_of_the_caller():
    """Several runs in one display, which belongs to the caller and is not stopped."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with rich.progress.Progress(console=console) as display:
        async with anyio.create_task_group() as group:
            for name in ("one", "two"):
                group.start_soon(bulk(range(5), progress=rich_progress(name, progress=display)).collect)
        assert display.live.is_started
        assert sorted((task.description, task.completed, task.total) for task in display.tasks) == [
            ("one", 5, 5),
            ("two", 5, 5),
        ]
        assert all(task.finished for task in display.tasks)


def test_remarks():
    """Failures and throttling are shown, and nothing if there are none."""
    bars = Tqdm()
    show = bars.make("Numbers")
    show(Progress(done=1, failed=0, total=9, elapsed=1))
    show(Progress(done=5, failed=2, total=9, elapsed=2, throttled=3, limit=4, bytes_sent=5_000_000, finished=True))
    assert "2 failed, throttled 3x, 4 at once, 2.5 MB/s" in bars.last
    assert "failed" not in bars.file.getvalue().split("\r")[1]


def test_unknown_apart():
    """What may have arrived is not counted as failed."""
    bars = Tqdm()
    show = bars.make("Numbers")
    show(Progress(done=5, failed=3, unknown=2, total=9, elapsed=1, finished=True))
    assert "1 failed, 2 unknown" in bars.last
    show(Progress(done=6, failed=3, unknown=3, total=9, elapsed=2, finished=True))
    assert "3 unknown" in bars.last
    assert "failed" not in bars.last


@pytest.mark.parametrize(
    ("done", "options", "words"), [(1, {}, "1 item ["), (2, {}, "2 items ["), (1, {"unit": " labels"}, "1 labels [")]
)
def test_one_item(done, options, words):
    """Of a total that is not known, what is done is counted in words."""
    bars = Tqdm()
    bars.make("Numbers", **options)(Progress(done=done, failed=0, total=None, elapsed=1, finished=True))
    assert words in bars.last


NOTEBOOK = """
import sys, types
kernel = types.ModuleType("IPython")
class ZMQInteractiveShell: pass
kernel.get_ipython = ZMQInteractiveShell
sys.modules |= {"IPython": kernel, "ipykernel.zmqshell": types.ModuleType("ipykernel.zmqshell")}
import builtins; builtins.get_ipython = ZMQInteractiveShell  # as rich recognizes a notebook
from segments_async import Progress
from segments_async import progress
show = progress.NAME("Numbers")
show(Progress(done=3, failed=0, total=9, elapsed=1.0))
show(Progress(done=9, failed=0, total=9, elapsed=1.0, finished=True))
"""


@pytest.mark.parametrize("name", ["tqdm_progress", "rich_progress"])
def test_notebook_without_widgets(name):
    """The bar is text, and there is no warning."""
    script = NOTEBOOK.replace("NAME", name)
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "9/9" in run.stdout + run.stderr
    assert "arn" not in run.stdout + run.stderr


@pytest.mark.parametrize(("library", "make"), [("tqdm", tqdm_progress), ("rich", rich_progress)])
def test_missing(monkeypatch, library, make):
    """The error names the extra."""
    for name in list(sys.modules):
        if name.partition(".")[0] == library:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf'{library} is not available; .*"segments-async\[progress\]"'):
        make("Numbers")


def test_snapshot():
    """Rates and the time that is left come from the same figures."""
    progress = Progress(done=50, failed=1, total=200, elapsed=10, bytes_sent=1000)
    assert (progress.per_second, progress.bytes_per_second, progress.remaining) == (5, 100, 30)
    none = Progress(done=0, failed=0, total=200, elapsed=0)
    assert (none.per_second, none.bytes_per_second, none.remaining) == (0, 0, None)
    assert Progress(done=5, failed=0, total=None, elapsed=1).remaining is None


async def test_of_a_real_run(client, sandbox, flowers):
    """Bytes are those of the bodies, the limit is the gate's, and refusals are counted."""
    sandbox.fail("PUT", "*", status=429, headers={"Retry-After": "0.01"}, times=2)
    reported = []
    created = await client.samples.create_many(flowers, samples(3), progress=reported.append)
    assert reported[-1].bytes_sent == created.bytes_sent == sum(c.body_bytes for c in sandbox.calls if "bulk" in c.path)
    assert reported[-1].limit == 32

    sandbox.clear_calls()
    items = [LabelPut(outcome.uuid, {"annotations": []}) for outcome in created.results]
    report = await client.labels.put_many(items, progress=reported.append)
    last = reported[-1]
    assert (last.done, last.failed, last.total, last.throttled, last.finished) == (3, 0, 3, 2, True)
    assert last.limit < 32
    assert last.bytes_sent == report.bytes_sent == sum(call.body_bytes for call in sandbox.calls)


async def test_of_get_many(client, sandbox, flowers):
    """Every bulk call has it."""
    created = await client.samples.create_many(flowers, samples(3))
    sandbox.fail("GET", "*", status=500, times=None)
    reported = []
    calm = client.with_options(retry=type(client._session.retry)(bulk_attempts=1))
    report = await calm.labels.get_many([outcome.uuid for outcome in created.results], progress=reported.append)
    assert type(report.failures[0].error) is ServerError
    assert (reported[-1].done, reported[-1].failed, reported[-1].finished) == (3, 3, True)
