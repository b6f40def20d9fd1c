"""What stores of message ids promise: a message is leased, done or released, for all that share the store."""

import multiprocessing
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import anyio
import anyio.to_thread
import pytest
import pytest_asyncio
from hypothesis import given, settings, strategies as st

from segments_async import InputError
from segments_async.webhooks import Claim, RedisReplayGuard, ReplayGuard, SqliteReplayGuard, sign, verify
from segments_async.webhooks._stores import check_store

SECRET = "whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM"
BODY = b'{"event_type": "sample.created", "dataset": "jane/flowers"}'


class Blocking:
    """A store as the tests call all of them."""

    def __init__(self, store):
        self.store = store

    async def claim(self, name):
        return self.store.claim(name)

    async def finish(self, name):
        self.store.finish(name)

    async def release(self, name):
        self.store.release(name)

    async def aclose(self):
        pass


@pytest_asyncio.fixture(params=["memory", "sqlite", "redis"])
async def make_store(request, tmp_path):
    """``make_store()``; each call gives another client of the same data, but for the memory's."""
    made, now = [], [1_000_000.0]

    def clock():
        return now[0]

    def make():
        if request.param == "memory":
            made.append(Blocking(ReplayGuard(clock=clock)))
        elif request.param == "sqlite":
            made.append(Blocking(SqliteReplayGuard(tmp_path / "webhooks.db", clock=clock)))
        else:
            made.append(RedisReplayGuard(request.getfixturevalue("redis_url"), prefix=f"{tmp_path}:"))
        return made[-1]

    async def let_lease_expire(name):
        now[0] += 600
        if request.param == "redis":  # its time cannot be set
            client = made[0]._clients.get()
            assert 0 < await client.pttl(f"{tmp_path}:{name}") <= 86_400_000
            if await client.get(f"{tmp_path}:{name}") == b"leased":
                await client.delete(f"{tmp_path}:{name}")

    make.let_lease_expire = let_lease_expire
    make.shared = request.param != "memory"
    yield make
    for store in made:
        await store.aclose()


@pytest.mark.asyncio
async def test_three_states(make_store):
    store = make_store()
    assert await store.claim("a") is Claim.NEW
    assert await store.claim("a") is Claim.LEASED
    assert await store.claim("b") is Claim.NEW
    await store.release("a")
    assert await store.claim("a") is Claim.NEW
    await store.finish("a")
    assert await store.claim("a") is Claim.DONE
    await store.release("a")  # by a handler whose lease had expired
    assert await store.claim("a") is Claim.DONE
    assert await store.claim("b") is Claim.LEASED
    await store.release("none")
    await store.finish("none")
    assert await store.claim("none") is Claim.DONE


@pytest.mark.asyncio
async def test_a_lease_that_expired_is_taken_over(make_store):
    store = make_store()
    assert await store.claim("a") is Claim.NEW
    other = make_store() if make_store.shared else store
    assert await other.claim("a") is Claim.LEASED
    await make_store.let_lease_expire("a")
    assert await other.claim("a") is Claim.NEW
    assert await store.claim("a") is Claim.LEASED
    await other.finish("a")
    await make_store.let_lease_expire("a")
    assert await store.claim("a") is Claim.DONE


@pytest.mark.asyncio
async def test_ids_of_any_kind(make_store):
    store = make_store()
    names = ["", " ", "'; DROP TABLE webhook_messages; --", "a" * 1000, "\u00e9\U0001f600", "msg_1/module.handler#2"]
    for name in names:
        assert await store.claim(name) is Claim.NEW
        await store.finish(name)
    assert {await store.claim(name) for name in names} == {Claim.DONE}


@given(steps=st.lists(st.tuples(st.sampled_from(["claim", "finish", "release", "pass"]), st.sampled_from("ab"))))
@settings(max_examples=30)
def test_sqlite_and_memory_agree(tmp_path_factory, steps):
    """And with the rules, which fit into a few lines."""
    now = 1_000_000.0
    memory = ReplayGuard(clock=lambda: now)
    sqlite = SqliteReplayGuard(tmp_path_factory.mktemp("store") / "webhooks.db", clock=lambda: now)
    leased, done = {}, {}
    for step, name in steps:
        if step == "pass":
            now += 500
            continue
        answers = [getattr(store, step)(name) for store in (memory, sqlite)]
        if step == "claim":
            expected = Claim.DONE if name in done else Claim.LEASED if leased.get(name, 0) > now else Claim.NEW
            assert answers == [expected] * 2
            if expected is Claim.NEW:
                leased[name] = now + 600
        elif step == "finish":
            done[name] = now
        else:
            leased.pop(name, None)


def claim_in_process(path, barrier, names, results):
    store = SqliteReplayGuard(path)
    barrier.wait()
    for name in names:
        if store.claim(name):
            results.put(name)


@pytest.mark.slow
def test_processes_share_a_file(tmp_path):
    """Each message is claimed by one of them."""
    context = multiprocessing.get_context("spawn")
    names, barrier, results = [str(number) for number in range(50)], context.Barrier(3), context.Queue()
    arguments = (tmp_path / "webhooks.db", barrier, names, results)
    processes = [context.Process(target=claim_in_process, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    claimed = sorted(results.get(timeout=60) for _ in names)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert claimed == sorted(names)
    assert results.empty()
    results.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_threads_share_a_store(tmp_path, kind):
    store = ReplayGuard() if kind == "memory" else SqliteReplayGuard(tmp_path / "webhooks.db")
    barrier = threading.Barrier(8)

    def claim(_):
        barrier.wait()
        return [name for name in map(str, range(40)) if store.claim(name)]

    with ThreadPoolExecutor(8) as pool:
        claimed = [name for names in pool.map(claim, range(8)) for name in names]
    assert sorted(claimed) == sorted(map(str, range(40)))


@pytest.mark.asyncio
async def test_redis_claims_are_atomic(redis_url, tmp_path):
    stores = [RedisReplayGuard(redis_url, prefix=f"{tmp_path}:") for _ in range(10)]
    claims = [None] * 10

    async def claim(number):
        claims[number] = await stores[number].claim("a")

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(claim, number)
    assert sorted(map(bool, claims)) == [False] * 9 + [True]
    for store in stores:
        await store.aclose()


def test_a_redis_store_serves_every_event_loop(redis_url, tmp_path):
    """As each start by a test client has one of its own."""
    store = RedisReplayGuard(redis_url, prefix=f"{tmp_path}:", decode_responses=True)

    async def claim():
        claimed = await store.claim("a")
        await store.finish("a")
        await store.aclose()
        return claimed

    assert [anyio.run(claim) for _ in range(2)] == [Claim.NEW, Claim.DONE]


@pytest.mark.parametrize("url", ["", "localhost", "http://user:hunter2@localhost", None])
def test_an_invalid_redis_url(url):
    with pytest.raises(InputError, match="url: expected a URL such as") as caught:
        RedisReplayGuard(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [b"not a database" * 100, None, "table"])
def test_a_file_that_is_not_a_store(tmp_path, content):
    path = tmp_path / "webhooks.db"
    if content == "table":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE webhook_messages (name TEXT, until REAL)")
    elif content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="path: cannot be used"):
        SqliteReplayGuard(path)


class Old:
    """As a store was before messages had three states."""

    def claim(self, name): ...

    def release(self, name): ...


@pytest.mark.parametrize(
    ("store", "words"), [(Old(), "Old lacks finish"), (7, "lacks claim"), (ReplayGuard, "call it")]
)
def test_what_is_not_a_store(store, words):
    with pytest.raises(InputError, match=words):
        check_store(store)
    with pytest.raises(InputError, match=words):
        verify(BODY, sign(BODY, SECRET), SECRET, replay=store)


class Async(Old):
    def __init__(self):
        self.guard = ReplayGuard()

    async def claim(self, name):
        return self.guard.claim(name)

    async def finish(self, name):
        self.guard.finish(name)


class Disguised(Async):
    def claim(self, name):
        return super().claim(name)


@pytest.mark.parametrize("store", [Async(), Disguised()])
@pytest.mark.asyncio
async def test_an_async_store_where_none_can_be_awaited(store):
    """Else replay protection would be off, and no one would know."""
    with pytest.raises(InputError, match=r"is async, and verify.. cannot await it here"):
        verify(BODY, sign(BODY, SECRET), SECRET, replay=store)


def test_an_async_store_is_refused_before_the_first_genuine_message():
    with pytest.raises(InputError, match=r"is async, and verify.. cannot await it here"):
        verify(BODY, {}, SECRET, replay=Async())


@pytest.mark.asyncio
async def test_an_async_store_in_a_worker_thread():
    """As in a sync route of FastAPI."""
    store, headers = Async(), sign(BODY, SECRET)

    def handle():
        return verify(BODY, headers, SECRET, replay=store)

    assert await anyio.to_thread.run_sync(handle)
    with pytest.raises(Exception, match="is being processed"):
        await anyio.to_thread.run_sync(handle)


@pytest.mark.asyncio
async def test_a_store_that_answers_with_something_else():
    class Odd(Old):
        def claim(self, name):
            return False

        def finish(self, name): ...

    with pytest.raises(TypeError, match=r"claim.. of the replay store returned False"):
        verify(BODY, sign(BODY, SECRET), SECRET, replay=Odd())
