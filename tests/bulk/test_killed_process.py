"""Runs that are killed at any moment, and resume from their checkpoint."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from bulk_checks import names_on, samples

from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox

SCRIPT = Path(__file__).with_name("checkpointed_run.py")
KINDS = ["return", "error", "labels", "files"]
COUNT = 60
DONE = "SELECT count(*) FROM items WHERE status IN ('created', 'existing', 'updated', 'done')"


def start(kind, sandbox, checkpoint, items):
    command = [sys.executable, str(SCRIPT), kind, sandbox.url, sandbox.api_key, str(checkpoint)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(items))
    process.stdin.close()
    return process


def rows_done(checkpoint):
    if not checkpoint.exists():
        return 0
    with closing(sqlite3.connect(checkpoint)) as db:
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return db.execute(DONE).fetchone()[0] if tables else 0


def finish(kind, sandbox, checkpoint, items):
    process = start(kind, sandbox, checkpoint, items)
    counts = json.loads(process.stdout.read())
    process.stdout.close()
    assert process.wait() == 0
    return counts


async def items_for(kind, sandbox, folder):
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        await client.datasets.create("flowers")
        names = [f"{number:03}.png" for number in range(COUNT)]
        if kind == "labels":
            return [o.uuid for o in (await client.samples.create_many("sandbox/flowers", samples(COUNT))).results]
        if kind == "files":
            for name in names:
                (folder / name).write_bytes(b"picture " + name.encode())
            return [str(folder / name) for name in names]
        return names


async def kill_and_resume(kind, folder, seed):
    """Kill a run up to three times, each time after some more requests, and then let it finish."""
    chance = random.Random(seed)
    with Sandbox() as sandbox:
        items = await items_for(kind, sandbox, folder)
        sandbox.fail("*", "*", times=None, status=None, delay=0.002)
        checkpoint = folder / "run.db"
        for _ in range(chance.randint(1, 3)):
            process = start(kind, sandbox, checkpoint, items)
            enough = len(sandbox.calls) + chance.randint(0, 40)
            while len(sandbox.calls) < enough and process.poll() is None:
                time.sleep(0.001)  # noqa: ASYNC251 (another process is waited for)
            time.sleep(chance.random() * 0.02)  # noqa: ASYNC251 (so that it is caught between two requests, too)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
        done = rows_done(checkpoint)
        counts = finish(kind, sandbox, checkpoint, items)
        assert counts.get("skipped", 0) == done
        assert sum(counts.values()) == COUNT
        assert not counts.keys() - {"created", "existing", "done", "skipped"}
        assert rows_done(checkpoint) == COUNT
        assert sorted(names_on(sandbox)) == [
            f"{number:03}.png" if kind != "labels" else f"{number:05}.png" for number in range(COUNT)
        ]
        if kind == "files":
            stored = sandbox.assets()
            for record in sandbox.samples("sandbox/flowers"):
                assert stored[record["attributes"]["image"]["url"]] == b"picture " + record["name"].encode()
        if kind == "labels":
            async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
                labels = await client.labels.get_many(items)
            assert all(outcome.value is not None for outcome in labels.results)
        sandbox.clear_calls()
        assert finish(kind, sandbox, checkpoint, items) == {"skipped": COUNT}
        assert sandbox.calls == ()


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_kill_and_resume(kind, tmp_path):
    """Every item is there once, and what was noted is not sent again."""
    await kill_and_resume(kind, tmp_path, seed=kind)


@pytest.mark.full
@pytest.mark.asyncio
@pytest.mark.parametrize("number", range(50))
async def test_kill_and_resume_at_fifty_moments(number, tmp_path):
    """As above, at other moments."""
    await kill_and_resume(KINDS[number % len(KINDS)], tmp_path, seed=number)
