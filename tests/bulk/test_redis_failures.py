"""Whatever a Redis does to a checkpoint, before or during a run: the error has the right class, and nothing is lost."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import anyio
import pytest
import redis
from bulk_checks import names_on, samples
from redis.backoff import NoBackoff
from redis.retry import Retry
from waiting import wait_until

from segments_async import BulkError, ConnectError, InputError, OutOfResourcesError, RequestTimeoutError
from segments_async._wire.retry import is_retryable
from segments_async.bulk import RedisCheckpoint, checkpoint as checkpoint_module, redis_checkpoint as redis_module
from segments_async.bulk.journal import ItemRow
from segments_async.bulk.redis_errors import redis_error

DATASET = "sandbox/flowers"
PASSWORD = "hunter2"
NAME = "flowers-of-may"
COUNT = 2000


class Server:
    """A Redis that can be damaged and mended; each of its damages returns nothing."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.folder = folder
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self.start()

    def start(self, *options):
        self.folder.mkdir(exist_ok=True)
        command = [shutil.which("redis-server"), "--port", str(self.port), "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, "--requirepass", PASSWORD, "--repl-ping-replica-period", "3600", *options],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self.answers)
        self.client = redis.Redis.from_url(self.url)

    def answers(self):
        try:
            with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
                client.ping()
        except redis.exceptions.BusyLoadingError:
            return True
        except redis.exceptions.RedisError:
            return False
        return True

    def set(self, **options):
        for name, value in options.items():
            self.client.config_set(name.replace("_", "-"), value)

    def stop(self):
        self.client.close()
        self.process.kill()
        self.process.wait()

    # What is done to it
    def dies(self):
        self.process.kill()
        self.process.wait()

    def freezes(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def is_full(self):
        self.set(maxmemory="1")

    def cannot_save(self):
        self.folder.rmdir()
        self.set(save="3600 1")
        self.client.bgsave()
        wait_until(lambda: self.client.info("persistence")["rdb_last_bgsave_status"] == "err")

    def is_a_replica(self):
        self.client.replicaof("127.0.0.1", 1)

    def lost_its_primary(self):
        self.set(replica_serve_stale_data="no")
        self.client.replicaof("127.0.0.1", 1)

    def has_no_replica(self):
        self.set(min_replicas_to_write="1")

    def loads(self):
        self.client.mset({f"key-{number}": b"x" * 100 for number in range(30_000)})
        self.client.save()
        self.stop()
        self.start("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")

    def has_another_password(self):
        self.set(requirepass="another")
        self.client.client_kill_filter(skipme=True, _type="normal")

    def forbids_writing(self):
        self.client.execute_command("ACL", "SETUSER", "default", "-eval")

    def has_a_key_of_another_type(self):
        key = f"segments-checkpoint:{{{NAME}}}:items"
        self.client.delete(key)
        self.client.set(key, "a text")


@pytest.fixture
def server(tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server")
    server = Server(tmp_path / "redis")
    yield server
    server.stop()


def checkpoint_on(server, damage=None):
    patience = 0.5 if damage is Server.freezes else 10  # a busy machine is not a frozen one
    return RedisCheckpoint(server.url, NAME, lease=4, socket_timeout=patience, retry=Retry(NoBackoff(), 0))


BOTH = [
    pytest.param(Server.dies, ConnectError, "Connection", id="dead"),
    pytest.param(Server.freezes, RequestTimeoutError, "Timeout", id="frozen"),
    pytest.param(Server.is_full, OutOfResourcesError, "raise its maxmemory", id="full"),
    pytest.param(Server.cannot_save, OutOfResourcesError, "free disk space", id="unsaved"),
    pytest.param(Server.is_a_replica, ConnectError, "use the URL of the primary", id="replica"),
    pytest.param(Server.lost_its_primary, ConnectError, "try again later|use the URL of the primary", id="no primary"),
    pytest.param(Server.has_no_replica, ConnectError, "try again later", id="no replica"),
    pytest.param(Server.loads, ConnectError, "try again later", id="loading"),
    pytest.param(Server.has_another_password, InputError, "invalid username-password", id="password"),
    pytest.param(Server.forbids_writing, InputError, "permission", id="permission"),
    pytest.param(Server.has_a_key_of_another_type, InputError, "WRONGTYPE", id="type"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("damage", "expected", "words"), BOTH)
async def test_before_a_run(client, sandbox, server, damage, expected, words):
    """Nothing is sent; the error says what to do, and not the password."""
    await client.datasets.create("flowers")
    await anyio.to_thread.run_sync(damage, server)

    with pytest.raises(expected, match=words) as caught:
        await client.samples.create_many(DATASET, samples(3), checkpoint=checkpoint_on(server, damage))
    check_error(caught.value, expected)
    assert names_on(sandbox) == []


@pytest.mark.anyio
@pytest.mark.parametrize(("damage", "expected", "words"), BOTH)
async def test_during_a_run(client, sandbox, server, damage, expected, words):
    """The run stops, its report accounts for every item that was taken, and another run sends the rest."""
    await client.datasets.create("flowers")

    async def items():
        for number, sample in enumerate(samples(COUNT)):
            if number == 20:
                await anyio.to_thread.run_sync(damage, server)
            if number > 40:
                await anyio.sleep(0.02)  # until the failure is known
            yield sample

    report = await client.samples.create_many(
        DATASET, items(), checkpoint=checkpoint_on(server, damage), batch_size=5, concurrency=2
    )
    assert report.stopped == "checkpoint"
    assert not report.exhausted
    with pytest.raises(BulkError, match=words) as caught:
        report.raise_if_failed()
    assert caught.value.report is report
    check_error(caught.value.__cause__, expected)
    assert report.counts["created"] == len(names_on(sandbox)) >= 10
    assert report.total == len(report.results)
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)
    server.start()
    again = await client.samples.create_many(DATASET, samples(COUNT), checkpoint=checkpoint_on(server))
    assert again.succeeded == COUNT
    assert len(set(names_on(sandbox))) == len(names_on(sandbox)) == COUNT


def check_error(error, expected):
    assert type(error) is expected
    assert is_retryable(error) is (expected is not InputError)
    assert "checkpoint" in str(error)
    assert NAME in str(error)
    assert PASSWORD not in f"{error} {error!r} {error.__cause__!r}"
    if isinstance(error, ConnectError | RequestTimeoutError):
        assert not error.sent


def patient_checkpoint(server):
    return RedisCheckpoint(server.url, NAME, lease=1000, retry=Retry(NoBackoff(), 0))


@pytest.mark.anyio
async def test_a_run_that_waits_for_redis_can_be_cancelled(client, server, monkeypatch):
    """Also when all its items are sent."""
    monkeypatch.setattr(checkpoint_module, "CANCEL_SECONDS", 0.1)
    await client.datasets.create("flowers")

    async def items():
        for sample in samples(3):
            yield sample
        await anyio.to_thread.run_sync(server.dies)

    with anyio.move_on_after(1) as scope:
        await client.samples.create_many(DATASET, items(), checkpoint=patient_checkpoint(server))
    assert scope.cancelled_caught
    assert anyio.current_time() - scope.deadline < 5


def test_a_long_lease_does_not_mean_a_long_wait(server, monkeypatch):
    monkeypatch.setattr(redis_module, "MAX_PATIENCE_SECONDS", 0.2)
    journal = patient_checkpoint(server).open({}, threading.Event())
    server.dies()
    started = time.monotonic()
    with pytest.raises(ConnectError):
        journal.write([ItemRow("a", b"1", "created", "u")], [])
    assert 0.2 <= time.monotonic() - started < 5
    journal.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis.exceptions.ResponseError("BUSY Redis is busy running a script."), ConnectError),
        (redis.exceptions.ClusterDownError("The cluster is down"), ConnectError),
        (redis.exceptions.TryAgainError("Multiple keys request during rehashing of slot"), ConnectError),
        (redis.exceptions.MaxConnectionsError("Too many connections"), ConnectError),
        (redis.exceptions.ConnectionError("max number of clients reached"), ConnectError),
        (redis.exceptions.ResponseError("OOM command not allowed, on @user_script:1."), OutOfResourcesError),
        (redis.exceptions.ResponseError("ERR DB index is out of range"), InputError),
        (redis.exceptions.MovedError("3999 127.0.0.1:6381"), InputError),
        (redis.exceptions.InvalidResponse("Protocol Error: b'HTTP'"), InputError),
        (redis.exceptions.AuthorizationError("the client may not do this"), InputError),
        (OSError(errno.EMFILE, "Too many open files"), OutOfResourcesError),
        (MemoryError(), OutOfResourcesError),
        (RuntimeError("can't start new thread"), OutOfResourcesError),
        (ValueError("Expecting value"), InputError),
    ],
    ids=str,
)
def test_other_answers(error, expected):
    check_error(redis_error(NAME, error), expected)


def test_a_descriptor_that_is_missing(server):
    """redis-py raises its own class, from the error of the socket."""
    checkpoint = checkpoint_on(server)
    with few_descriptors(), pytest.raises(OutOfResourcesError, match="ulimit -n") as caught:
        checkpoint.open({}, threading.Event())
    assert caught.value.errno == errno.EMFILE


WITHOUT_DESCRIPTORS = """
import os, resource, sys
from segments_async import errors
from segments_async.bulk import RedisCheckpoint
from segments_async.limits import RedisLimiter
from segments_async.webhooks import RedisReplayGuard

make = {
    "RedisCheckpoint": lambda: RedisCheckpoint("redis://localhost", "flowers"),
    "RedisLimiter": lambda: RedisLimiter("redis://localhost"),
    "RedisReplayGuard": lambda: RedisReplayGuard("redis://localhost"),
}
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0), limits[1]))
try:
    make[sys.argv[1]]()
except errors.OutOfResourcesError as error:
    print(error.errno, error)
"""


@pytest.mark.parametrize("name", ["RedisCheckpoint", "RedisLimiter", "RedisReplayGuard"])
def test_a_descriptor_that_is_missing_to_import(name):
    """redis-py and modules that it needs are imported with the first object."""
    command = [sys.executable, "-c", WITHOUT_DESCRIPTORS, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.stdout.startswith(f"{errno.EMFILE} {name} cannot be made (")
    assert "Too many open files" in done.stdout
    assert "ulimit -n" in done.stdout


@contextmanager
def few_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.anyio
@pytest.mark.parametrize(("damage", "expected", "words"), [BOTH[0], BOTH[8]])
async def test_deleting(server, anyio_backend, damage, expected, words):
    await anyio.to_thread.run_sync(damage, server)
    with pytest.raises(expected, match=words) as caught:
        await checkpoint_on(server).delete()
    check_error(caught.value, expected)


def test_a_full_redis_does_not_grow(server):
    """Also within the lease of a run that began before."""
    journal = checkpoint_on(server).open({}, threading.Event())
    server.is_full()
    with pytest.raises(OutOfResourcesError):
        journal.write([ItemRow("a", b"1", "created", "u")], [])
    assert journal.find(["a"]) == {"a": (None, [])}
    journal.close()
