"""Files that are not checkpoints, or that someone has altered: refused before anything is sent."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from threading import Event, Thread

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from bulk_checks import check_report, samples
from echo_operation import Echo, bulk
from hypothesis import HealthCheck, given, settings, strategies as st

from segments_async import InputError
from segments_async.bulk import checkpoint as checkpoint_module, journal as journal_module
from segments_async.bulk.journal import APPLICATION_ID, ItemRow, Journal

HEADER = {"operation": "numbers", "service": "https://example.com", "dataset or labelset": "all"}
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


class Numbers(Echo):
    """Numbers that the checkpoint identifies by their values."""

    kind, scope, service = "numbers", "all", "https://example.com"


def new_journal(path, rows=3):
    journal = Journal(path, HEADER)
    journal.write([ItemRow(str(n), b"0" * 16, "done", f"u-{n}") for n in range(rows)], [])
    journal.close()


def altered(*statements):
    """Make a checkpoint, and run *statements* on it."""

    def make(path):
        new_journal(path)
        with sqlite3.connect(path) as db:
            db.executescript(";".join(statements))
        db.close()

    return make


def other_database(*statements, application_id=APPLICATION_ID, version=1):
    """Make a database with *statements* that says it is a checkpoint."""

    def make(path):
        with sqlite3.connect(path) as db:
            db.executescript(";".join(statements))
            db.execute(f"PRAGMA application_id = {application_id}")
            db.execute(f"PRAGMA user_version = {version}")
        db.close()

    return make


def link_loop(path):
    path.symlink_to(path)


OTHERS = {
    "a folder": (Path.mkdir, "is not a file"),
    "a pipe": (os.mkfifo, "is not a file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is not a file"),
    "a loop of links": (link_loop, "cannot be used \\(Too many levels of symbolic links\\)"),
    "text": (
        lambda path: path.write_text("not a database, but long enough to look at" * 100),
        "is not a checkpoint file",
    ),
    "another program": (other_database("CREATE TABLE a (b)", application_id=7), "is a database of another program"),
    "another program, empty": (other_database(application_id=7), "is a database of another program"),
    "another program's version": (other_database(application_id=0, version=3), "is a database of another program"),
    "no tables": (other_database(), "has other tables"),
    "an older format": (altered("PRAGMA user_version = 0"), "has other tables"),
    "an endless view": (
        altered("DROP TABLE items", f"CREATE VIEW items AS {ENDLESS} SELECT i AS key, 1, 2, 3 FROM n WHERE i < 0"),
        "has other tables",
    ),
    "an endless trigger": (
        altered(
            f"CREATE TRIGGER t AFTER INSERT ON items BEGIN INSERT INTO files {ENDLESS} SELECT 1, i, 1, 1, 1 FROM n; END"
        ),
        "has other tables",
    ),
    "another table": (altered("CREATE TABLE mine (a)"), "has other tables"),
    "an index": (altered("CREATE INDEX i ON items (status)"), "has other tables"),
    "a missing table": (altered("DROP TABLE files"), "has other tables"),
    "other columns": (
        altered("DROP TABLE items", "CREATE TABLE items (key TEXT PRIMARY KEY, digest BLOB)"),
        "has other tables",
    ),
    "one more column": (altered("ALTER TABLE items ADD COLUMN more"), "has other tables"),
    "a computed column": (
        altered("ALTER TABLE items ADD COLUMN more GENERATED ALWAYS AS (length(key)) VIRTUAL"),
        "has other tables",
    ),
    "a status of another type": (altered("UPDATE items SET status = x'00'"), "value of another type"),
    "a uuid of another type": (altered("UPDATE items SET uuid = x'00'"), "value of another type"),
    "a digest of another type": (altered("UPDATE items SET digest = 'text'"), "value of another type"),
    "a place of another type": (altered("INSERT INTO files VALUES ('a', 'first', x'00', 'b', 'c')"), "another type"),
    "text that is not UTF-8": (
        altered("UPDATE header SET value = CAST(x'ff' AS TEXT) WHERE name = 'service'"),
        "cannot be used .*UTF-8",
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("what", OTHERS)
async def test_refused_before_anything_is_sent(tmp_path, what):
    make, words = OTHERS[what]
    path = tmp_path / "run.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    operation = Numbers()
    with anyio.fail_after(5), pytest.raises(InputError, match=words) as caught:
        await bulk(range(5), operation, checkpoint=path).collect()
    assert caught.value.path == "checkpoint"
    assert operation.requests == []
    if before is not None:
        assert path.read_bytes() == before


class Failing:
    """A path that raises."""

    def __fspath__(self):
        raise ZeroDivisionError


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path", [":memory:", Path(":memory:"), "a\0b", "x" * 5000, "missing/folder/run.db", "", b"run.db", Failing(), 7]
)
async def test_path_that_is_not_a_file(tmp_path, monkeypatch, path):
    """`:memory:` would record nothing."""
    monkeypatch.chdir(tmp_path)
    operation = Numbers()
    with pytest.raises(InputError) as caught:
        await bulk(range(5), operation, checkpoint=path).collect()
    assert caught.value.path == "checkpoint"
    assert operation.requests == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["file:run.db?mode=memory", " run.db", "100%25.db", "naïve.db"])
async def test_names_that_are_odd(tmp_path, monkeypatch, name):
    """None is taken for a URI."""
    monkeypatch.chdir(tmp_path)
    for status in ("done", "skipped"):
        report = await bulk(range(5), Numbers(), checkpoint=name).collect()
        assert dict(report.counts) == {status: 5}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_schema_is_not_trusted(tmp_path):
    journal = Journal(tmp_path / "run.db", HEADER)
    assert journal._pragma("trusted_schema") == 0
    assert journal._pragma("cell_size_check") == 1
    journal.close()


@pytest.mark.anyio
async def test_statistics_of_sqlite_are_no_other_table(tmp_path):
    """As ``PRAGMA optimize`` or ANALYZE leave them."""
    path = tmp_path / "run.db"
    altered("ANALYZE")(path)
    report = await bulk(range(3), Numbers(), checkpoint=path).collect()
    assert report.succeeded == 3


def written_by_a_run(path):
    report = anyio.run(bulk(range(200), Numbers(), checkpoint=path).collect)
    assert report.succeeded == 200
    return path.read_bytes()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The bytes of a checkpoint of 200 items."""
    return written_by_a_run(tmp_path_factory.mktemp("original") / "run.db")


@st.composite
def damages(draw):
    """Some bytes to replace, at a place that is a share of the file, and where to cut it."""
    spots = draw(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), max_size=6))
    return spots, draw(st.none() | st.floats(0, 1))


def run_with(path, content):
    """A run with a file of this *content* ends, in a report that accounts for every item or in an InputError."""
    path.write_bytes(content)
    operation = Numbers()

    async def run():
        with anyio.fail_after(20):
            return await bulk(range(200), operation, checkpoint=path).collect()

    report = refusal = None
    try:
        report = anyio.run(run)
    except InputError as error:
        refusal = error
    if report is None:
        assert refusal.path == "checkpoint"
        assert operation.requests == []
    else:
        check_report(report)
        assert report.total == 200


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(damage=damages())
def test_any_damage(tmp_path, original, damage):
    spots, cut = damage
    content = bytearray(original)
    for share, replacement in spots:
        at = int(share * len(content))
        content[at : at + len(replacement)] = replacement
    run_with(tmp_path / "run.db", bytes(content if cut is None else content[: int(cut * len(content))]))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=5000), with_magic=st.booleans())
def test_any_bytes(tmp_path, content, with_magic):
    run_with(tmp_path / "run.db", b"SQLite format 3\0" + content if with_magic else content)


@pytest.mark.anyio
class TestCancellation:
    """A cancellation ends SQLite, and leaves a file that another run can use."""

    async def test_while_a_large_file_is_checked(self, tmp_path, monkeypatch):
        """The check grows with the file: here it would take forever."""
        path = tmp_path / "run.db"
        new_journal(path)
        monkeypatch.setattr(journal_module, "_WRONG_TYPES", (f"{ENDLESS} SELECT 1 FROM n WHERE i < 0",))
        stream = bulk(range(5), Numbers(), checkpoint=path)
        started = time.monotonic()
        with anyio.move_on_after(0.1) as scope:
            await stream.collect()
        assert scope.cancelled_caught
        assert time.monotonic() - started < 3

        monkeypatch.undo()
        assert (await bulk(range(5), Numbers(), checkpoint=path).collect()).succeeded == 5

    @pytest.mark.parametrize("method", ["find", "write"])
    async def test_while_it_is_used(self, tmp_path, monkeypatch, method):
        path = tmp_path / "run.db"
        new_journal(path)

        def endless(journal, *_):
            with journal._lock, journal._translated_errors():
                journal._db.execute(f"{ENDLESS} SELECT 1 FROM n WHERE i < 0").fetchone()

        monkeypatch.setattr(Journal, method, endless)
        monkeypatch.setattr(checkpoint_module, "CANCEL_SECONDS", 0.1)
        stream = bulk(range(3, 8), Numbers(), checkpoint=path)
        started = time.monotonic()
        with anyio.move_on_after(0.3) as scope:
            await stream.collect()
        assert scope.cancelled_caught
        assert time.monotonic() - started < 5
        check_report(stream.report)
        assert stream.report.stopped == "cancelled"

        monkeypatch.undo()
        report = await bulk(range(8), Numbers(), checkpoint=path).collect()
        assert report.succeeded == 8

    async def test_a_disk_that_hangs(self, tmp_path, monkeypatch):
        """SQLite cannot be interrupted while the system waits for a disk, so its thread is abandoned."""
        hang, closed = Event(), Event()
        real = Journal.close

        def close(journal):
            real(journal)
            closed.set()

        class Hanging(Journal):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                hang.wait(30)

        Hanging.close = close
        monkeypatch.setattr(checkpoint_module, "Journal", Hanging)
        monkeypatch.setattr("segments_async.bulk.interruptible.END_SECONDS", 0.1)
        stream = bulk(range(5), Numbers(), checkpoint=tmp_path / "run.db")
        with anyio.move_on_after(0.1) as scope:
            await stream.collect()
        assert scope.cancelled_caught
        hang.set()
        assert await anyio.to_thread.run_sync(closed.wait, 10)

    async def test_outcomes_of_a_cancelled_run_are_recorded(self, client, flowers, tmp_path):
        path = tmp_path / "run.db"
        stream = client.samples.stream_create(flowers, samples(3000), checkpoint=path, batch_size=10)
        async with anyio.create_task_group() as group:

            async def run():
                async with stream:
                    async for _ in stream:
                        if stream.report.succeeded >= 500:
                            group.cancel_scope.cancel()

            group.start_soon(run)
        done = stream.report.succeeded
        assert 500 <= done < 3000
        again = await client.samples.create_many(flowers, samples(3000), checkpoint=path)
        assert again.counts["skipped"] == done


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_native_cancellation_while_opening(tmp_path, monkeypatch):
    """`asyncio` cancels tasks without scopes."""
    import asyncio  # noqa: PLC0415

    path = tmp_path / "run.db"
    new_journal(path)
    monkeypatch.setattr(journal_module, "_WRONG_TYPES", (f"{ENDLESS} SELECT 1 FROM n WHERE i < 0",))
    task = asyncio.create_task(bulk(range(5), Numbers(), checkpoint=path).collect())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    with anyio.fail_after(5):
        while True:
            try:
                report = await bulk(range(5), Numbers(), checkpoint=path).collect()
            except InputError:  # the thread has not ended yet
                await asyncio.sleep(0.02)
            else:
                break
    assert report.succeeded == 5
    await wait_all_tasks_blocked()


def test_interrupt_from_another_thread(tmp_path):
    journal = Journal(tmp_path / "run.db", HEADER)
    thread = Thread(target=lambda: (time.sleep(0.05), journal.interrupt()))
    thread.start()
    with pytest.raises(InputError, match="because the run was cancelled"), journal._translated_errors():
        journal._db.execute(f"{ENDLESS} SELECT 1 FROM n WHERE i < 0").fetchone()
    thread.join()
    journal.close()
    journal.interrupt()
