"""The recipes of the page on scale that start processes: each is run as a reader would start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from waiting import wait_until

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
import os
from pathlib import Path
from distributed import Client, LocalCluster
from upload_dask import upload_all

if __name__ == "__main__":
    workers = LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    with workers, Client(workers) as cluster:
        for number, pid in enumerate(cluster.run(os.getpid).values()):
            Path(f"worker-{number}").write_text(str(pid))
        print(*upload_all(cluster, [SAMPLES[:2], SAMPLES[2:]]), sep="\\n")
"""
WAIT = """
import asyncio
from arq import create_pool
from tasks import WorkerSettings

async def main(parts):
    pool = await create_pool(WorkerSettings.redis_settings)
    jobs = [await pool.enqueue_job("upload", "sandbox/flowers", part) for part in parts]
    print(*[await job.result(timeout=100) for job in jobs], sep="\\n")
    await pool.aclose()

asyncio.run(main([SAMPLES[:2], SAMPLES[2:]]))
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


def posts_of(sandbox):
    return [call for call in sandbox.calls if call.path.endswith("/samples_bulk/")]


@pytest.fixture
def begin(start, sandbox):
    """``begin(command)``: start a process, and wait until a sample of it is on its way to the service."""
    processes = []

    def begin(*command, waits=True):
        sandbox.latency = 1.0
        text = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen([sys.executable, *command], **text))
        if waits:
            wait_until(lambda: posts_of(sandbox))
            sandbox.latency = 0.0
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def spawned_by(process):
    """The processes that a script has spawned."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.full
@pytest.mark.usefixtures("parts")
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not say which processes there are")
def test_a_process_that_is_killed(begin, start):
    """The script fails with the error of the page; run again, it uploads what is left."""
    script = begin("upload_parts.py")
    os.kill(spawned_by(script)[0], signal.SIGKILL)
    errors = script.communicate(timeout=100)[1]
    assert "concurrent.futures.process.BrokenProcessPool: " in errors
    assert script.returncode == 1

    assert start("upload_parts.py")[0] == 0
    assert run(names_of_samples) == [sample["name"] for sample in SAMPLES]


def check_results(process):
    """All parts are uploaded, some of them twice."""
    printed, errors = process.communicate(timeout=100)
    assert [line[:8] for line in printed.splitlines()] == ["2 items:", "3 items:"], errors
    assert "failed" not in printed
    assert run(names_of_samples) == [sample["name"] for sample in SAMPLES]


@pytest.mark.slow
def test_a_worker_of_dask_that_is_killed(begin, tmp_path):
    """Dask starts another one, with the plugin, and repeats the task."""
    pytest.importorskip("distributed", reason="distributed is not installed in this environment")
    (tmp_path / "start.py").write_text(DASK.replace("SAMPLES", repr(SAMPLES)))
    script = begin("start.py")
    os.kill(int((tmp_path / "worker-0").read_text()), signal.SIGKILL)
    check_results(script)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_of_arq_that_is_killed(how, begin, redis_url, tmp_path):
    """Another one repeats its jobs: at once if it was asked to stop, else when its time is up."""
    pytest.importorskip("arq", reason="arq is not installed in this environment")
    (tmp_path / "start.py").write_text(WAIT.replace("SAMPLES", repr(SAMPLES)))
    waiting = begin("start.py", waits=False)
    worker = begin("-m", "arq", "tasks.WorkerSettings")
    worker.send_signal(how)
    worker.communicate(timeout=100)
    if how == signal.SIGKILL:
        with redis.Redis.from_url(redis_url) as server:
            running = server.keys("arq:in-progress:*")
            assert running
            assert all(3600 < server.ttl(key) <= 3610 for key in running)
            server.delete(*running)  # the hour is over
    begin("-m", "arq", "tasks.WorkerSettings")
    check_results(waiting)
