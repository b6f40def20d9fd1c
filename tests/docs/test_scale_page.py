"""The recipes of the page on scale that start processes: each is run as a reader would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from segments_async import AsyncSegments
from segments_async.sync import run

SAMPLES = [{"name": f"{n}.png", "attributes": {"image": {"url": f"https://example.com/{n}.png"}}} for n in range(5)]
ARQ = """
import asyncio
from arq import create_pool
from arq.worker import create_worker
from tasks import WorkerSettings

async def main(samples):
    pool = await create_pool(WorkerSettings.redis_settings)
    job = await pool.enqueue_job("upload", "sandbox/flowers", samples)
    worker = create_worker(WorkerSettings, burst=True, handle_signals=False)
    await worker.main()
    print(await job.result())
    await worker.close()
    await pool.aclose()

asyncio.run(main(SAMPLES))
"""
DASK = """
from distributed import Client, LocalCluster
from upload_dask import upload_all

if __name__ == "__main__":
    workers = LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    with workers, Client(workers) as cluster:
        print(*upload_all(cluster, [SAMPLES[:2], SAMPLES[2:]]), sep="\\n")
"""


async def create_dataset():
    async with AsyncSegments() as client:
        await client.datasets.create("flowers")


async def names_of_samples():
    async with AsyncSegments() as client:
        return sorted([sample.name async for sample in client.samples.list("sandbox/flowers")])


@pytest.fixture
def start(redis_url, _files, tmp_path):
    """``start("script.py")``: run a script beside the page's files; returns its exit code and what it printed."""
    run(create_dataset)
    _files("docs/scale.md")
    for path in tmp_path.glob("*.py"):
        path.write_text(path.read_text().replace("redis://localhost:6379/0", redis_url))

    def start(script, **environment):
        variables = {**os.environ, **environment}
        done = subprocess.run(
            [sys.executable, script], check=False, capture_output=True, text=True, env=variables, timeout=120
        )
        return done.returncode, done.stdout.splitlines(), done.stderr

    return start


@pytest.fixture
def parts(tmp_path):
    """Two files of samples."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, samples in (("a.jsonl", SAMPLES[:3]), ("b.jsonl", SAMPLES[3:])):
        (folder / name).write_text("".join(json.dumps(sample) + "\n" for sample in samples))


@pytest.mark.slow
@pytest.mark.usefixtures("parts")
def test_processes(start):
    """Each part is uploaded."""
    assert start("upload_parts.py") == (0, ["a.jsonl: 3 items: 3 created", "b.jsonl: 2 items: 2 created"], "")
    assert run(names_of_samples) == [sample["name"] for sample in SAMPLES]


@pytest.mark.slow
@pytest.mark.usefixtures("parts")
def test_processes_with_a_wrong_key(start):
    """The error of a process is that of the script."""
    code, printed, errors = start("upload_parts.py", SEGMENTS_API_KEY="wrong")

    assert (code, printed) == (1, [])
    assert "BulkError: " in errors
    assert "AuthenticationError: " in errors


@pytest.mark.slow
@pytest.mark.parametrize(("module", "script", "counts"), [("arq", ARQ, [5]), ("distributed", DASK, [2, 3])])
def test_engines(module, script, counts, start, tmp_path):
    """With the real ones; CI has them in an environment of their own, as arq requires an older redis-py."""
    pytest.importorskip(module, reason=f"{module} is not installed in this environment")
    (tmp_path / "start.py").write_text(script.replace("SAMPLES", repr(SAMPLES)))

    code, printed, errors = start("start.py")

    assert (code, printed) == (0, [f"{count} items: {count} created" for count in counts]), errors
    assert run(names_of_samples) == [sample["name"] for sample in SAMPLES]
