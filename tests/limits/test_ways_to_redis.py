"""The limiter, and a checkpoint, over the ways to a Redis that there are: TLS, passwords, users, far away,
and after a failover."""

from __future__ import annotations

import threading
import uuid

import anyio
import pytest
import redis
from redis_servers import RedisServer, behind_a_name

from segments_async import AsyncSegments, RateLimitError
from segments_async.bulk import RedisCheckpoint
from segments_async.bulk.journal import ItemRow
from segments_async.fastapi import QueueBackend
from segments_async.limits import RedisLimiter

PASSWORD = "p%40ss word"
QUOTED = "p%2540ss%20word"
COMMANDS = ["+eval", "+evalsha", "+time", "+hmget", "+hset", "+hdel", "+pexpire"]
"""Those that docs/scale.md lists."""


def as_user(url, user):
    """The URL with a user and the password."""
    return url.replace("://", f"://{user}:{QUOTED}@")


def add_user(url, name, commands, **options):
    """Add a user who may use some commands for keys that begin with ``mine:``."""
    with redis.Redis.from_url(url, **options) as server:
        server.acl_setuser(name, enabled=True, passwords=f"+{PASSWORD}", keys=["mine:*"], commands=commands)


async def take_all_steps(limiter, key):
    """Take each step of a limiter, also those that delete and forget."""
    assert (await limiter.reserve(key, 3)).calls == 3
    await limiter.refused(key, 0.5)
    await anyio.sleep(0.5)
    while not (turns := await limiter.reserve(key, 3)).calls:  # noqa: ASYNC110 (another clock decides)
        await anyio.sleep(turns.wait)
    assert turns.measure
    await limiter.learned(key, 50.0)
    assert (await limiter.reserve(key, 3)).spacing == pytest.approx(1 / 50, rel=0.05)
    await limiter.give_back(key, 1)
    await limiter.aclose()


async def calls_through(sandbox, limiter, caplog):
    """Make two calls; returns what the log says of the limiter."""
    caplog.clear()
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=limiter) as client:
        await client.users.me()
        await client.users.me()
    await limiter.aclose()
    assert "word" not in caplog.text
    return [record.message for record in caplog.records if "shared limiter" in record.message]


@pytest.mark.asyncio
async def test_a_user_of_the_documented_commands(redis_url):
    """No other one is sent; keys of another prefix are refused."""
    add_user(redis_url, "limiter", COMMANDS)
    url = as_user(redis_url, "limiter")
    await take_all_steps(RedisLimiter(url, prefix="mine:"), uuid.uuid4().hex)

    limiter = RedisLimiter(url, prefix="theirs:")
    with pytest.raises(redis.exceptions.NoPermissionError):
        await limiter.reserve("k", 1)
    await limiter.aclose()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_over_tls(sandbox, caplog):
    """With a user, by options or by the URL; a checkpoint too. A certificate that is not trusted is a warning."""
    with RedisServer(tls=True) as server:
        add_user(server.url, "limiter", COMMANDS, ssl_ca_certs=server.authority)
        url = as_user(server.url, "limiter")
        await take_all_steps(RedisLimiter(url, prefix="mine:", ssl_ca_certs=server.authority), "one")
        await take_all_steps(RedisLimiter(f"{url}?ssl_ca_certs={server.authority}", prefix="mine:"), "other")

        assert (
            await calls_through(sandbox, RedisLimiter(url, ssl_ca_certs=server.authority, prefix="mine:"), caplog) == []
        )
        (message,) = await calls_through(sandbox, RedisLimiter(url, prefix="mine:"), caplog)
        assert "certificate verify failed" in message
        plain = RedisLimiter(url.replace("rediss", "redis"), prefix="mine:")
        assert len(await calls_through(sandbox, plain, caplog)) == 1

        checkpoint = RedisCheckpoint(server.url, "flowers", ssl_ca_certs=server.authority)
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
            await client.datasets.create("flowers")
            sample = {"name": "a", "attributes": {"image": {"url": "https://example.com/a.png"}}}
            counts = [
                (await client.samples.create_many("sandbox/flowers", [sample], checkpoint=checkpoint)).counts
                for _ in range(2)
            ]
        assert counts == [{"created": 1}, {"skipped": 1}]


@pytest.mark.asyncio
async def test_200_ms_away(sandbox, redis_url, caplog):
    """The limiter is used, and keeps its rate; a wait of one process is known to another one with the next answer."""
    prefix = f"{uuid.uuid4().hex}:"
    async with behind_a_name([redis_url], 0.2) as url:
        one, other = (RedisLimiter(url, rate=50, prefix=prefix) for _ in range(2))
        async with (
            AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=one) as first,
            AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=other) as second,
        ):
            started = anyio.current_time()
            async with anyio.create_task_group() as group:
                for client in (first, second) * 15:
                    group.start_soon(client.users.me)
            assert anyio.current_time() - started >= 29 / 50 - 0.05

            sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "30"})
            sandbox.clear_calls()
            with pytest.raises(RateLimitError):
                await first.with_options(max_wait=2).users.me()
            with pytest.raises(RateLimitError, match="wait for another"):
                await second.with_options(max_wait=2).users.me()
        assert len(sandbox.calls) == 1
        await one.aclose()
        await other.aclose()
    assert caplog.records == []


@pytest.mark.slow
@pytest.mark.asyncio
async def test_after_a_failover():
    """The name leads to the new primary, but the connections that are open lead to the old one, which only reads."""
    with RedisServer("--repl-diskless-sync-delay", "0") as old, RedisServer() as new:
        of_old, of_new = (redis.asyncio.Redis.from_url(server.url) for server in (old, new))
        await of_new.replicaof("127.0.0.1", old.port)
        servers = [old.url]
        async with behind_a_name(servers) as url:
            limiter = RedisLimiter(url, 100)
            queue, blocking = QueueBackend(url).client(), QueueBackend(url).blocking_client()
            checkpoint = RedisCheckpoint(url, "flowers")

            async def write():
                assert (await limiter.reserve("k", 1)).calls == 1
                await queue.set("a", 1)
                await anyio.to_thread.run_sync(blocking.set, "a", 1)
                await anyio.to_thread.run_sync(journal.write, [ItemRow("a", b"1", "created", "u")], [])

            journal = await anyio.to_thread.run_sync(checkpoint.open, {}, threading.Event())
            await write()
            await of_old.wait(1, 10_000)
            await of_new.replicaof("NO", "ONE")
            await of_old.replicaof("127.0.0.1", new.port)
            servers.append(new.url)
            for _ in range(2):
                await write()

            assert await of_new.exists("segments-limit:k")
            await anyio.to_thread.run_sync(journal.close)
            blocking.close()
            for client in (limiter, queue, of_old, of_new):
                await client.aclose()
