"""Items in code that is not async: each once, in a thread that ends with the loop, the reader or the process."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial

import anyio.to_thread
import pytest

from segments_async import AsyncSegments, AuthenticationError, ClientStateError, DecodeError, InputError
from segments_async._releases import open_release
from segments_async.training import read_items
from segments_async.training.reading import Reading

THREAD = "segments_async reader"


def readers():
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def wait_until_closed():
    for thread in readers():
        thread.join(10)
    assert readers() == []


def names(items):
    return [item.sample.name for item in items]


def test_every_item_once(service):
    path = service.build(5)

    reader = read_items(path, client=service.client)

    assert [item.image.getpixel((0, 0))[0] for item in reader] == [0, 1, 2, 3, 4]
    assert readers() == []
    assert next(reader, None) is None
    assert reader.release.dataset.name == "flowers"


def test_a_dataset_and_the_name_of_its_release(service):
    service.build(3)
    assert names(read_items("sandbox/flowers", "v1", client=service.client)) == ["s0", "s1", "s2"]


def test_shards_and_order(service):
    path = service.build(8)
    read = partial(read_items, path, client=service.client, images=False, bitmaps=False)
    assert names(read(shard=(1, 3))) == ["s1", "s4", "s7"]
    shuffled = names(read(shuffle_buffer=4, seed=1))
    assert shuffled == names(read(shuffle_buffer=4, seed=1)) != names(read(shuffle_buffer=4, seed=2))
    assert sorted(shuffled) == sorted(names(read()))


def test_files_are_kept(service):
    path = service.build(2)
    assert [item.file[:4] for item in read_items(path, client=service.client, files=True)] == [b"\x89PNG"] * 2
    assert [item.file for item in read_items(path, client=service.client)] == [None, None]


@pytest.mark.parametrize("leave", ["with", "close", "garbage", "cycle"])
def test_leaving_early(service, leave):
    """The thread ends, whichever way the reader goes."""
    reader = read_items(service.build(5), client=service.client)
    next(reader)
    if leave == "with":
        with reader:
            pass
    elif leave == "close":
        reader.close()
    elif leave == "cycle":
        reader.itself = reader
    if leave in {"with", "close"}:
        with pytest.raises(ClientStateError, match="is closed; call read_items"):
            next(reader)
    del reader
    gc.collect()
    wait_until_closed()


@pytest.mark.parametrize("in_worker", [False, True])
def test_garbage_collected_in_its_own_threads(service, in_worker):
    """A collection may start in the reader's event loop, or in a thread of it, which must not wait for the loop."""
    reader = read_items(service.build(2), client=service.client)
    next(reader)
    closed = threading.Event()

    def close():
        reader.close()
        closed.set()  # here, as closing may cancel `collect` before it goes on

    async def collect():
        await anyio.to_thread.run_sync(close) if in_worker else close()
        return await anext(reader._thread.items, None)

    reader._thread._next_item = collect
    with suppress(ClientStateError):
        next(reader)
    assert closed.wait(5)
    wait_until_closed()


def test_errors_have_their_place(service):
    path = service.build(3, s1=b"no image")
    with read_items(path, client=service.client) as items:
        assert next(items).sample.name == "s0"
        with pytest.raises(DecodeError, match="the image of sample 's1'"):
            next(items)
    reader = read_items(path, client=service.client, on_error="skip")
    assert names(reader) == ["s0", "s2"]
    assert [skipped.sample.name for skipped in reader.skipped] == ["s1"]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"prefetch": 0}, "prefetch"),
        ({"on_error": "ignore"}, "on_error"),
        ({"shard": (2, 2)}, "shard"),
        ({"shuffle_buffer": -1}, "shuffle_buffer"),
        ({"seed": 0.5}, "seed"),
        ({"cache": 3}, "cache"),
    ],
)
def test_arguments_are_checked_at_once(options, path):
    """Before a thread or a worker starts."""
    with pytest.raises(InputError) as caught:
        read_items("v1.json", client=partial(AsyncSegments, "key"), **options)
    assert caught.value.path == path


def test_sources(tmp_path, monkeypatch):
    """An open file has one reader; a missing file and a missing key are the caller's errors."""
    monkeypatch.delenv("SEGMENTS_API_KEY", raising=False)
    with pytest.raises(InputError, match="not an open file"):
        read_items(open_release(tmp_path / "v1.json"))
    with pytest.raises(AuthenticationError):
        read_items("v1.json")
    with pytest.raises(InputError, match=r"cannot be read \(No such file"):
        read_items(tmp_path / "v1.json", client=partial(AsyncSegments, "key"))
    assert readers() == []


def test_a_reading_for_workers(service, tmp_path, monkeypatch):
    """It pickles, works from another folder, and does not show the key."""
    service.build(1)
    monkeypatch.chdir(tmp_path)
    reading = Reading.of("v1.json", None, service.client, {"cache": "images"})
    monkeypatch.chdir("/")
    copy = pickle.loads(pickle.dumps(reading))
    assert names(copy.open()) == ["s0"]
    assert (tmp_path / "images").is_dir()
    assert service.sandbox.api_key not in repr(copy)


def in_child(reader, queue):
    try:
        next(reader)
    except ClientStateError as error:
        queue.put(str(error))
    reader.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork(service):
    """The thread exists only in the parent: the child says so, and ends."""
    reader = read_items(service.build(3), client=service.client)
    next(reader)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(reader, queue))
    child.start()
    assert "opened before a fork" in queue.get(timeout=20)
    child.join(20)
    assert child.exitcode == 0
    assert names(reader) == ["s1", "s2"]


SCRIPT = """
import sys
from segments_async.training import read_items

def values(path):
    with read_items(path) as items:
        yield from items

class Holder:
    pass

holder = Holder()
holder.values = values(sys.argv[1])
holder.reader = read_items("sandbox/flowers", "v1")
holder.itself = holder
print(next(holder.values).sample.name, next(holder.reader).sample.name, flush=True)
"""
ENDS = {
    "raise ValueError('as it happens')": 1,
    "sys.exit(3)": 3,
    "": 0,
    "import signal; signal.raise_signal(signal.SIGINT)": -signal.SIGINT,
}


@pytest.mark.usefixtures("environment")
@pytest.mark.skipif(sys.platform == "win32", reason="the code after Ctrl-C is another one")
@pytest.mark.parametrize("end", ENDS)
def test_a_script_ends(service, end, monkeypatch, tmp_path):
    """While readers and generators are alive: with its own code, at once, and nothing is left in TMPDIR."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    command = [sys.executable, "-c", SCRIPT + end, str(service.build(3))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "s0 s0\n"
    assert ended.returncode == ENDS[end], ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert "segments_async" not in ended.stderr or "Traceback" in ended.stderr
    assert ("Traceback" in ended.stderr) == (ENDS[end] not in {0, 3})
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("environment")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a single process")
def test_ctrl_c_while_an_item_is_awaited(service):
    """The process ends although the image never arrives."""
    path = service.build(2)
    fault = service.sandbox.fail("GET", "*", origin="storage", delay=20.0, times=None)
    code = "import sys; from segments_async.training import read_items; print(*read_items(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stderr=subprocess.PIPE)
    while not fault.hits:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=15)
    assert process.returncode == -signal.SIGINT
    assert printed.rstrip().endswith(b"KeyboardInterrupt")
