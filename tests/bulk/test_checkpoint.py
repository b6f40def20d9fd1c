"""What a run writes to its checkpoint, and how a later run uses it."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from itertools import count

import anyio
import pytest
from bulk_checks import check_report, names_on, posts, sample, samples
from echo_operation import Echo, bulk
from waiting import HOUR, cancel_once

from segments_async import AsyncSegments, BulkError, InputError, LabelPut, OutOfResourcesError, RetryPolicy
from segments_async.bulk.journal import VERSION, ItemRow, Journal
from segments_async.sandbox import Sandbox
from segments_async.testing import ManualClock

pytestmark = pytest.mark.anyio

BOXES = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}]}


@pytest.fixture
def service_clock():
    """The clock of the service."""
    return ManualClock()


@pytest.fixture
def sandbox(service_clock):
    with Sandbox(clock=service_clock.time) as sandbox:
        yield sandbox


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db"


def rows(path):
    with sqlite3.connect(path) as db:
        found = db.execute("SELECT key, status, uuid FROM items ORDER BY key").fetchall()
    db.close()
    return found


class Numbers(Echo):
    """Numbers that the checkpoint identifies by their values."""

    kind, scope, service = "numbers", "all", "https://example.com"


class TestResume:
    async def test_nothing_is_sent_again(self, client, sandbox, flowers, path):
        first = await client.samples.create_many(flowers, samples(1200), checkpoint=path)
        sandbox.clear_calls()

        again = await client.samples.create_many(flowers, samples(1200), checkpoint=path)

        assert sandbox.calls == ()
        check_report(again)
        assert dict(again.counts) == {"skipped": 1200}
        assert [o.uuid for o in again.results] == [o.uuid for o in first.results]
        assert {o.value for o in again.results} == {None}
        again.raise_if_failed()

    async def test_one_row_for_each_item(self, client, flowers, path):
        report = await client.samples.create_many(
            flowers, [*samples(3), sample(""), sample("00001.png")], checkpoint=path
        )
        assert dict(report.counts) == {"created": 3, "failed": 2}
        # A local refusal, of a missing name or a duplicate, says nothing about what the service has.
        assert rows(path) == [(o.key, "created", o.uuid) for o in report.results[:3]]

    async def test_more_items(self, client, sandbox, flowers, path):
        await client.samples.create_many(flowers, samples(3), checkpoint=path)
        report = await client.samples.create_many(flowers, samples(5), checkpoint=path)
        assert [o.status for o in report.results] == ["skipped"] * 3 + ["created"] * 2
        assert [o.index for o in report.results] == [0, 1, 2, 3, 4]
        assert len(names_on(sandbox)) == 5

    @pytest.mark.parametrize(
        ("if_exists", "becomes"), [("return", "existing"), ("update", "updated"), ("error", "failed")]
    )
    async def test_what_changed_goes_by_if_exists(
        self, client, sandbox, flowers, path, service_clock, if_exists, becomes
    ):
        await client.samples.create_many(flowers, samples(3), checkpoint=path)
        changed = [*samples(2), sample("00002.png", priority=7)]
        service_clock.now += 60

        report = await client.samples.create_many(flowers, changed, checkpoint=path, if_exists=if_exists)

        assert [o.status for o in report.results] == ["skipped", "skipped", becomes]
        assert sandbox.samples(flowers)[2]["priority"] == (7 if if_exists == "update" else 0)

    async def test_what_was_only_found_is_compared_once(self, client, sandbox, flowers, path, service_clock):
        """An answer that returned an existing sample does not show that it equals what was sent."""
        await client.samples.create(flowers, "00000.png", {"image": {"url": "https://example.com/other.png"}})
        service_clock.now += 60
        found = await client.samples.create_many(flowers, samples(1), checkpoint=path)
        assert dict(found.counts) == {"existing": 1}
        assert dict((await client.samples.create_many(flowers, samples(1), checkpoint=path)).counts) == {"skipped": 1}

        changed = await client.samples.create_many(flowers, samples(1), checkpoint=path, if_exists="update")
        assert dict(changed.counts) == {"updated": 1}
        sandbox.clear_calls()
        done = await client.samples.create_many(flowers, samples(1), checkpoint=path, if_exists="update")
        assert dict(done.counts) == {"skipped": 1}
        assert sandbox.calls == ()

    async def test_failures_and_unknowns_are_sent_again(self, client, sandbox, flowers, path):
        once = client.with_options(retry=RetryPolicy(attempts=1, bulk_attempts=1))
        sandbox.fail("POST", "/samples_bulk/", drop="after")
        unknown = await once.samples.create_many(flowers, samples(2), checkpoint=path)
        assert dict(unknown.counts) == {"unknown": 2}
        assert [status for _, status, _ in rows(path)] == ["unknown", "unknown"]

        bad = await client.samples.create_many(flowers, [sample("00002.png", priority="high")], checkpoint=path)
        assert dict(bad.counts) == {"failed": 1}
        report = await client.samples.create_many(flowers, samples(3), checkpoint=path)

        assert report.succeeded == 3
        assert report.counts["skipped"] == 0
        assert names_on(sandbox) == ["00000.png", "00001.png", "00002.png"]

    async def test_labels(self, client, sandbox, flowers, path):
        made = await client.samples.create_many(flowers, samples(4))
        labels = [LabelPut(o.uuid, BOXES, score=0.5) for o in made.results]
        await client.labels.put_many(labels[:3], labelset="ground-truth", checkpoint=path)
        labels[0].score = 0.6
        sandbox.clear_calls()

        report = await client.labels.put_many(labels, labelset="ground-truth", checkpoint=path)

        assert [o.status for o in report.results] == ["done", "skipped", "skipped", "done"]
        assert len(sandbox.calls) == 2
        assert (await client.labels.get(labels[0].sample_uuid)).score == 0.6

    async def test_every_other_operation(self, client, flowers, tmp_path):
        """What the engine does for one it does for all."""
        made = await client.samples.create_many(flowers, samples(3))
        uuids = [o.uuid for o in made.results]
        calls = [
            lambda p: client.labels.put_many([LabelPut(uuid, BOXES) for uuid in uuids], checkpoint=p),
            lambda p: client.labels.update_many([{"sample_uuid": uuid, "score": 1} for uuid in uuids], checkpoint=p),
            lambda p: client.labels.get_many(uuids, checkpoint=p),
            lambda p: client.labels.delete_many(uuids, checkpoint=p),
            lambda p: client.samples.update_many([{"uuid": uuid, "priority": 1} for uuid in uuids], checkpoint=p),
            lambda p: client.samples.delete_many(flowers, uuids, checkpoint=p),
        ]
        for number, call in enumerate(calls):
            path = tmp_path / f"{number}.db"
            assert (await call(path)).counts["skipped"] == 0
            again = await call(path)
            assert dict(again.counts) == {"skipped": 3}
            assert [o.uuid for o in again.results] == uuids

    async def test_stream_left_early(self, client, sandbox, flowers, path):
        async with client.samples.stream_create(flowers, samples(40), batch_size=2, checkpoint=path) as outcomes:
            async for _ in outcomes:
                break
        report = await client.samples.create_many(flowers, samples(40), batch_size=2, checkpoint=path)
        assert report.succeeded == 40
        assert report.counts["skipped"] > 0
        assert len(names_on(sandbox)) == len(set(names_on(sandbox))) == 40

    async def test_cancelled_run_is_noted(self, client, sandbox, flowers, path):
        fault = sandbox.fail("POST", "/samples_bulk/", times=None, skip=3, status=None, delay=HOUR)
        stream = client.samples.stream_create(flowers, samples(40), batch_size=2, concurrency=1, checkpoint=path)
        assert await cancel_once(lambda: fault.hits, stream.collect)
        assert [status for _, status, _ in rows(path)] == ["created"] * 6 + ["unknown"] * 2
        sandbox.clear_faults()
        report = await client.samples.create_many(flowers, samples(40), batch_size=2, checkpoint=path)
        assert report.counts["skipped"] == 6
        assert report.succeeded == 40

    async def test_done_items_are_passed_over_in_large_steps_and_new_ones_are_not_awaited(self, path):
        """An endless input is read no further than the look-ahead, which shrinks when an item is new."""
        await bulk(range(3000), Numbers(batch_size=10), checkpoint=path).collect()
        numbers = Numbers(batch_size=10)
        async with bulk(count(), numbers, checkpoint=path, keep="failures", check_duplicates=False) as outcomes:
            async for outcome in outcomes:
                if outcome.status == "done":
                    break
        assert min(numbers.requests) == list(range(3000, 3010))
        assert 3010 <= outcomes.report.total <= 3000 + 1024 + 4 * 10


class TestUncertain:
    async def test_creation_whose_process_died(self, client, sandbox, flowers, path):
        """With ``if_exists="error"``, a name that an earlier process of the same run took is not an error."""
        made = await client.samples.create_many(flowers, samples(3), checkpoint=path, if_exists="error")
        uuids = [outcome.uuid for outcome in made.results]
        with sqlite3.connect(path) as db:  # as a process leaves it that was killed before it received the answer
            db.execute("UPDATE items SET status = 'unknown', uuid = NULL WHERE key < '00002'")
        db.close()
        await client.samples.update(uuids[1], attributes={"image": {"url": "https://example.com/other.png"}})

        report = await client.samples.create_many(flowers, samples(3), checkpoint=path, if_exists="error")

        assert [o.status for o in report.results] == ["created", "failed", "skipped"]
        assert [outcome.uuid for outcome in report.results] == [uuids[0], None, uuids[2]]

    async def test_announced_before_it_is_sent(self, client, sandbox, flowers, path):
        fault = sandbox.fail("POST", "/samples/", times=None, status=None, delay=HOUR)
        stream = client.samples.stream_create(flowers, samples(2), checkpoint=path, if_exists="error", concurrency=1)
        assert await cancel_once(lambda: fault.hits, stream.collect)
        assert rows(path) == [("00000.png", "unknown", None)]


class TestRefused:
    @pytest.fixture(autouse=True)
    def _nothing_is_sent(self, sandbox):
        sandbox.clear_calls()
        yield
        assert not posts(sandbox, "")

    async def refused(self, client, path, words, dataset="sandbox/flowers"):
        with pytest.raises(InputError, match=words) as caught:
            await client.samples.create_many(dataset, samples(2), checkpoint=path)
        assert caught.value.path == "checkpoint"
        assert str(path) in str(caught.value)

    def make(self, path, **header):
        whole = {
            "operation": "samples.create_many",
            "service": "https://example.com",
            "dataset or labelset": "sandbox/flowers",
        }
        Journal(path, {**whole, **header}).close()

    async def test_another_service(self, client, path):
        self.make(path)
        await self.refused(client, path, "belongs to another run: its service is 'https://example.com'")

    async def test_another_operation(self, client, sandbox, path):
        self.make(path, service=sandbox.url, operation="labels.put_many")
        await self.refused(client, path, "its operation is 'labels.put_many', not 'samples.create_many'")

    async def test_another_dataset(self, client, sandbox, path):
        self.make(path, service=sandbox.url)
        await self.refused(client, path, "its dataset or labelset is 'sandbox/flowers'", dataset="sandbox/o'trees")

    async def test_newer_version(self, client, path):
        self.make(path)
        with sqlite3.connect(path) as db:
            db.execute(f"PRAGMA user_version = {VERSION + 1}")
        db.close()
        await self.refused(client, path, f"newer version .format {VERSION + 1}")

    async def test_another_program(self, client, path):
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE notes (text)")
        db.close()
        before = path.read_bytes()
        await self.refused(client, path, "another program")
        assert path.read_bytes() == before

    async def test_no_database(self, client, path):
        path.write_bytes(b"a,b,c\n1,2,3\n" * 1000)
        await self.refused(client, path, "is not a checkpoint file")

    @pytest.mark.parametrize("damage", ["cut", "overwritten"])
    async def test_damaged(self, client, sandbox, path, damage):
        self.make(path, service=sandbox.url)
        content = path.read_bytes()
        path.write_bytes(content[:5000] if damage == "cut" else content[:4096] + b"\xff" * (len(content) - 4096))
        await self.refused(client, path, "is damaged")

    async def test_in_use(self, client, sandbox, path):
        other = Journal(
            path,
            {"operation": "samples.create_many", "service": sandbox.url, "dataset or labelset": "sandbox/flowers"},
        )
        await self.refused(client, path, "in use by another run")
        other.close()

    async def test_no_folder(self, client, tmp_path):
        await self.refused(client, tmp_path / "no" / "run.db", "its folder does not exist")

    @pytest.mark.parametrize("given", [7, "", b"run.db", True])
    async def test_no_path(self, client, given):
        with pytest.raises(InputError, match="checkpoint: expected the path of a file"):
            await client.samples.create_many("sandbox/flowers", samples(1), checkpoint=given)


class TestDiskTrouble:
    async def test_run_stops_that_can_no_longer_be_noted(self, client, sandbox, flowers, path, monkeypatch):
        def full(self, items, files):
            with self._translated_errors():
                self._db.execute("PRAGMA max_page_count = 1")
                self._db.execute("CREATE TABLE more (filler)")
                self._db.execute("INSERT INTO more VALUES (zeroblob(1000000))")

        monkeypatch.setattr(Journal, "write", full)

        report = await client.samples.create_many(flowers, samples(5000), batch_size=5, checkpoint=path)

        check_report(report)
        assert report.stopped == "checkpoint"
        assert report.total == 5000
        assert report.unsent > 0
        with pytest.raises(BulkError, match=r"disk is full\); free some space") as caught:
            report.raise_if_failed()
        assert isinstance(caught.value.__cause__, OutOfResourcesError)

    @pytest.mark.parametrize(
        ("error", "code", "words"),
        [
            (OSError(errno.EMFILE, "Too many open files"), errno.EMFILE, "ulimit -n"),
            (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC, "free some space"),
            (MemoryError(), errno.ENOMEM, "lower concurrency"),
            (None, errno.ENOSPC, "disk is full"),
        ],
    )
    async def test_a_shortage_at_the_start(self, client, sandbox, flowers, path, monkeypatch, error, code, words):
        """It is not bad input: the same call succeeds later. Nothing is sent."""

        def short(self, header):
            if error is not None:
                raise error
            self._db.execute("PRAGMA max_page_count = 1")
            self._db.execute("CREATE TABLE more (filler)")

        monkeypatch.setattr(Journal, "_open", short)
        with pytest.raises(OutOfResourcesError, match=words) as caught:
            await client.samples.create_many(flowers, samples(3), checkpoint=path)
        assert (caught.value.path, caught.value.errno) == ("checkpoint", code)
        assert str(path) in str(caught.value)
        assert sandbox.samples("sandbox/flowers") == []
        monkeypatch.undo()
        path.unlink(missing_ok=True)
        assert (await client.samples.create_many(flowers, samples(3), checkpoint=path)).succeeded == 3

    @pytest.mark.parametrize("how", ["deleted", "replaced", "folder deleted"])
    async def test_a_file_that_is_deleted_during_the_run(self, client, flowers, path, how):
        """SQLite does not notice; the run stops, so that no more is sent that is not recorded."""
        path = path.parent / "runs" / "run.db"
        path.parent.mkdir()

        def delete_after_50():
            for number, one in enumerate(samples(5000)):
                if number == 50:
                    if how == "folder deleted":
                        shutil.rmtree(path.parent)
                    else:
                        path.unlink()
                    if how == "replaced":
                        path.write_bytes(b"")
                yield one

        report = await client.samples.create_many(
            flowers, delete_after_50(), batch_size=5, concurrency=1, checkpoint=path
        )

        assert report.stopped == "checkpoint"
        assert 50 <= report.succeeded == len(await client.samples.list(flowers)) < 5000
        with pytest.raises(Exception, match=r"run\.db was deleted or replaced during the run"):
            report.raise_if_failed()

    async def test_a_file_that_is_deleted_while_everything_is_skipped(self, client, flowers, path):
        """Nothing is written, so it is noticed at the end."""
        await client.samples.create_many(flowers, samples(3), checkpoint=path)

        def delete_at_the_end():
            yield from samples(3)
            path.unlink()

        report = await client.samples.create_many(flowers, delete_at_the_end(), checkpoint=path)

        assert (dict(report.counts), report.stopped) == ({"skipped": 3}, "checkpoint")

    async def test_look_up_that_fails(self, client, flowers, path, monkeypatch):
        await client.samples.create_many(flowers, samples(3), checkpoint=path)

        def fail(self, keys):
            raise InputError("is damaged", path="checkpoint")

        monkeypatch.setattr(Journal, "find", fail)
        report = await client.samples.create_many(flowers, samples(3), checkpoint=path)
        check_report(report)
        assert (report.stopped, report.unsent) == ("checkpoint", 3)

    async def test_a_killed_writer_locks_nothing(self, client, sandbox, flowers, path):
        """What a process that died had written, but not yet moved into the file, counts."""
        header = {"operation": "samples.create_many", "service": sandbox.url, "dataset or labelset": flowers}
        journal = Journal(path, header)
        journal.write([ItemRow("00000.png", b"?", "created", "u-1")], [])
        wal = path.with_name("run.db-wal").read_bytes()
        content = path.read_bytes()
        journal.close()
        copy = path.with_name("copy.db")
        copy.write_bytes(content)
        copy.with_name("copy.db-wal").write_bytes(wal)

        reopened = Journal(copy, header)

        assert reopened.find(["00000.png"])["00000.png"][0] == ItemRow("00000.png", b"?", "created", "u-1")
        reopened.close()


class TestReport:
    async def test_stop_before_the_first_item_is_not_a_success(self, client, flowers):
        """An empty report of an incomplete run is not a success."""

        async def nothing():
            await anyio.sleep(30)
            yield sample("never.png")

        report = await client.samples.create_many(flowers, nothing(), total_timeout=0.1)
        assert (report.total, report.stopped, report.exhausted) == (0, "total_timeout", False)
        with pytest.raises(Exception, match="0 items: none; stopped: total_timeout"):
            report.raise_if_failed()

    async def test_item_at_which_the_callers_code_fails(self, client, flowers, path):
        """It is accounted for like the others, and its cause is the caller's own exception."""

        def name(path):
            if path.name == "b":
                raise ZeroDivisionError
            return path.name

        report = await client.samples.upload_files(flowers, ["a", "b", "c"], name=name, checkpoint=path)
        assert report.failed == 3  # "a" and "c" do not exist
        assert str(report.results[1].error) == "files[1].name: raised ZeroDivisionError"
        assert type(report.results[1].error.__cause__) is ZeroDivisionError


async def test_two_clients_two_files(sandbox, client, flowers, tmp_path):
    """Runs with files of their own do not wait for each other."""
    reports = []
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as other, anyio.create_task_group() as group:

        async def run(of, path):
            reports.append(await of.samples.create_many(flowers, samples(50), checkpoint=path))

        group.start_soon(run, client, tmp_path / "a.db")
        group.start_soon(run, other, tmp_path / "b.db")
    assert [report.succeeded for report in reports] == [50, 50]
    assert len(names_on(sandbox)) == 50
