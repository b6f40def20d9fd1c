"""A checkpoint in Redis: another process continues a run, and one run at a time records."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import uuid

import anyio
import pytest
import redis
from bulk_checks import names_on, samples
from hypothesis import given, settings, strategies as st
from redis_servers import RedisServer
from waiting import cancel_once, wait_until

from segments_async import AsyncSegments, BulkError, ConnectError, InputError
from segments_async.bulk import RedisCheckpoint
from segments_async.bulk.journal import FileRow, ItemRow

DATASET = "sandbox/flowers"
HEADER = {"operation": "create", "dataset": DATASET}


@pytest.fixture
def checkpoint(redis_url):
    return RedisCheckpoint(redis_url, uuid.uuid4().hex, lease=1)


@pytest.fixture
async def flowers(client):
    await client.datasets.create("flowers")
    return DATASET


@pytest.mark.anyio
async def test_a_second_run_skips_what_is_done(client, flowers, checkpoint):
    first = await client.samples.create_many(flowers, samples(30), checkpoint=checkpoint)
    second = await client.samples.create_many(flowers, samples(40), checkpoint=checkpoint)

    assert first.counts == {"created": 30}
    assert second.counts == {"skipped": 30, "created": 10}
    assert [outcome.uuid for outcome in second.results[:30]] == [outcome.uuid for outcome in first.results]


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_server_that_restarts(client, flowers):
    """The run waits for it, and records what was done meanwhile."""
    with RedisServer() as server:
        checkpoint = RedisCheckpoint(server.url, "flowers")

        async def items():
            for number, sample in enumerate(samples(40)):
                if number == 20:
                    server.stop()
                    await anyio.sleep(0.3)
                    thread = threading.Timer(0.5, server.start)
                    thread.start()
                yield sample
            thread.join()

        report = await client.samples.create_many(flowers, items(), checkpoint=checkpoint)
        again = await client.samples.create_many(flowers, samples(40), checkpoint=checkpoint)
    assert report.counts == {"created": 40}
    assert again.counts == {"skipped": 40}


@pytest.mark.anyio
async def test_uploaded_files_are_found_again(client, flowers, checkpoint, tmp_path, sandbox):
    """The samples failed, so they are sent again, but not their files."""
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"picture %d" % number)
    sandbox.fail("POST", "/samples_bulk/", status=400, times=None)
    first = await client.samples.upload_files(flowers, tmp_path, checkpoint=checkpoint)
    sandbox.clear_faults()
    uploads = sum(call.path == "/assets/" for call in sandbox.calls)
    second = await client.samples.upload_files(flowers, tmp_path, checkpoint=checkpoint)

    assert first.failed == 3
    assert second.counts == {"created": 3}
    assert sum(call.path == "/assets/" for call in sandbox.calls) == uploads == 3


@pytest.mark.anyio
async def test_another_run_is_refused(client, flowers, checkpoint):
    """One that is alive, and one of another dataset."""
    await client.samples.create_many(flowers, samples(1), checkpoint=checkpoint)
    journal = checkpoint.open({}, threading.Event())
    with anyio.fail_after(20), pytest.raises(InputError, match="in use by another run"):
        await client.samples.create_many(flowers, samples(3), checkpoint=checkpoint)
    journal.close()
    await client.datasets.create("roses")

    with pytest.raises(InputError, match="belongs to another run: its dataset or labelset is 'sandbox/flowers'"):
        await client.samples.create_many("sandbox/roses", samples(3), checkpoint=checkpoint)


@pytest.mark.anyio
async def test_a_dry_run_only_reads(client, flowers, checkpoint, redis_url):
    """Also while another run uses it; a new one may still be used for something else."""
    report = await client.samples.create_many(flowers, samples(3), checkpoint=checkpoint, dry_run=True)
    with redis.Redis.from_url(redis_url) as server:
        assert server.keys(f"*{checkpoint.name}*") == []
    assert report.counts == {"unsent": 3}
    await client.samples.create_many(flowers, samples(2), checkpoint=checkpoint)
    journal = checkpoint.open({}, threading.Event())
    report = await client.samples.create_many(flowers, samples(3), checkpoint=checkpoint, dry_run=True)

    assert report.counts == {"skipped": 2, "unsent": 1}
    with pytest.raises(InputError, match="belongs to another run"):
        await client.samples.create_many("sandbox/roses", samples(3), checkpoint=checkpoint, dry_run=True)
    journal.check_place()
    journal.close()


@pytest.mark.anyio
async def test_after_deletion_everything_is_new(client, flowers, checkpoint):
    await client.samples.create_many(flowers, samples(3), checkpoint=checkpoint)
    await checkpoint.delete()

    report = await client.samples.create_many(flowers, samples(3), checkpoint=checkpoint)
    assert report.counts["skipped"] == 0


@pytest.mark.anyio
async def test_a_run_that_lost_it_stops(client, flowers, checkpoint):
    """The outcomes could not be recorded any more."""

    async def items():
        for number, sample in enumerate(samples(2000)):
            yield sample
            if number == 700:
                await checkpoint.delete()

    report = await client.samples.create_many(flowers, items(), checkpoint=checkpoint, batch_size=100)
    assert report.stopped == "checkpoint"
    assert not report.exhausted
    with pytest.raises(BulkError, match="taken over by another run, or deleted"):
        report.raise_if_failed()


@pytest.mark.anyio
async def test_a_server_that_is_gone(client, flowers, closed_port):
    """Nothing is sent; the error does not show the password."""
    checkpoint = RedisCheckpoint(f"redis://:hunter2@127.0.0.1:{closed_port}", "run")
    with pytest.raises(ConnectError, match="run cannot be used") as caught:
        await client.samples.create_many(flowers, samples(3), checkpoint=checkpoint)

    assert "hunter2" not in str(caught.value) + repr(checkpoint)
    assert await client.samples.list(flowers) == []


@pytest.mark.anyio
@pytest.mark.parametrize("refused", ["+@all -eval", "+@all -hset -hsetnx", "+@read"])
async def test_a_user_that_may_not_write(client, flowers, redis_url, refused):
    """Nothing is sent whose outcome could not be recorded."""
    with redis.Redis.from_url(redis_url) as server:
        server.execute_command("ACL", "SETUSER", "reader", "reset", "on", "nopass", "~*", *refused.split())
    checkpoint = RedisCheckpoint(redis_url, uuid.uuid4().hex, username="reader", password="")
    with pytest.raises(InputError, match=r"cannot be used .*permission"):
        await client.samples.create_many(flowers, samples(3), checkpoint=checkpoint)
    assert await client.samples.list(flowers) == []


@pytest.mark.anyio
async def test_waiting_for_the_lease_of_another_run_can_be_cancelled(client, flowers, redis_url):
    checkpoint = RedisCheckpoint(redis_url, uuid.uuid4().hex, lease=3600)
    threading_event = threading.Event()
    journal = checkpoint.open(HEADER, threading_event)
    journal._closed.set()  # as if its process had been killed
    waiting = []

    async def run():
        waiting.append(True)
        await client.samples.create_many(flowers, samples(3), checkpoint=checkpoint)

    with anyio.fail_after(20):
        assert await cancel_once(lambda: waiting, run)
    journal.close()


def test_the_lease_of_a_killed_run_is_waited_for(checkpoint):
    first = checkpoint.open(HEADER, threading.Event())
    first._closed.set()
    first.write([ItemRow("a", b"1", "created", "u")], [])
    second = checkpoint.open(HEADER, threading.Event())

    assert second.find(["a"]) == {"a": (ItemRow("a", b"1", "created", "u"), [])}
    with pytest.raises(InputError, match="taken over"):
        first.write([ItemRow("b", b"1", "created", "u")], [])
    with pytest.raises(InputError, match="taken over"):
        first.check_place()
    first.close()
    second.write([ItemRow("b", b"1", "created", "u")], [])
    second.close()


def test_a_lease_is_prolonged_however_long_an_item_takes(checkpoint, redis_url):
    journal = checkpoint.open(HEADER, threading.Event())
    with redis.Redis.from_url(redis_url) as server:
        for _ in range(3):
            wait_until(lambda: server.pttl(journal._lock) < 900)
            wait_until(lambda: server.pttl(journal._lock) > 900)
    journal.close()


ROWS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=5),
        st.one_of(st.none(), st.binary(max_size=5)),
        st.sampled_from(["created", "unknown", "failed"]),
        st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=5)),
        st.integers(0, 3),
        st.text(st.characters(codec="utf-8"), max_size=5),
    ),
    max_size=8,
)


@given(st.lists(ROWS, max_size=4))
@settings(max_examples=30)
def test_what_is_written_is_found(redis_url, writes):
    """The last row of each key, and of each file, in one run or the next."""
    checkpoint = RedisCheckpoint(redis_url, uuid.uuid4().hex)
    items, files = {}, {}
    for rows in writes:
        journal = checkpoint.open(HEADER, threading.Event())
        assert journal.is_new is (not items)
        written = [ItemRow(key, digest, status, found) for key, digest, status, found, _, _ in rows]
        uploaded = [FileRow(key, place, b"d", url, "{}") for key, *_, place, url in rows]
        journal.write(written, uploaded)
        items |= {row.key: row for row in written}
        files |= {(row.key, row.place): row for row in uploaded}
        journal.close()
    journal = checkpoint.open(HEADER, threading.Event())
    found = journal.find([*items, "missing key"])
    journal.close()
    anyio.run(checkpoint.delete)

    assert found.pop("missing key") == (None, [])
    assert {key: item for key, (item, _) in found.items()} == items
    assert {(row.key, row.place): row for _, rows in found.values() for row in rows} == files


@pytest.mark.parametrize(
    ("arguments", "options", "path"),
    [
        (("http://x", "name"), {}, "url"),
        (("redis://x", ""), {}, "name"),
        (("redis://x", 5), {}, "name"),
        (("redis://x", "name"), {"lease": 0.5}, "lease"),
    ],
)
def test_invalid_arguments(arguments, options, path):
    with pytest.raises(InputError) as caught:
        RedisCheckpoint(*arguments, **options).open(HEADER, threading.Event())
    assert caught.value.path == path


def test_the_url_may_ask_for_text(redis_url):
    """As other programs want it."""
    checkpoint = RedisCheckpoint(f"{redis_url}?decode_responses=True", uuid.uuid4().hex)
    journal = checkpoint.open(HEADER, threading.Event())
    journal.write([ItemRow("a", b"1", "created", "u")], [])
    journal.check_place()

    assert journal.find(["a"]) == {"a": (ItemRow("a", b"1", "created", "u"), [])}
    journal.close()


def test_it_can_be_pickled(checkpoint):
    copy = pickle.loads(pickle.dumps(checkpoint))
    assert (copy.name, copy._url, copy._lease) == (checkpoint.name, checkpoint._url, checkpoint._lease)


WORKER = """
import sys, anyio
from segments_async import AsyncSegments
from segments_async.bulk import RedisCheckpoint

async def main(url, key, redis, name):
    checkpoint = RedisCheckpoint(redis, name, lease=1)
    samples = ({"name": f"{n:04}", "attributes": {"image": {"url": "https://example.com/a.png"}}} for n in range(400))
    async with AsyncSegments(key, base_url=url, max_connections=2) as client:
        report = await client.samples.create_many(
            "sandbox/flowers", samples, checkpoint=checkpoint, if_exists="error", batch_size=5,
            progress=lambda progress: print(progress.done, flush=True),
        )
    print("counts", dict(report.counts), flush=True)

anyio.run(main, *sys.argv[1:])
"""


def test_another_process_takes_over(sandbox, redis_url):
    """The first is killed in the middle; nothing that it recorded is sent again."""

    async def prepare():
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
            await client.datasets.create("flowers")

    anyio.run(prepare)
    command = [sys.executable, "-c", WORKER, sandbox.url, sandbox.api_key, redis_url, uuid.uuid4().hex]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        for line in first.stdout:
            if line.split()[0].isdigit() and int(line) >= 40:
                break
        first.kill()
    second = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)

    counts = eval(second.stdout.splitlines()[-1].removeprefix("counts "))
    assert counts["skipped"] >= 30
    assert set(counts) <= {"skipped", "created", "existing"}
    assert sum(counts.values()) == 400
    assert len(names_on(sandbox)) == 400
