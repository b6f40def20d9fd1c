"""A server that repeats the password of a Redis, or writes to the terminal: neither is in an error or in the log."""

from __future__ import annotations

import logging
import pickle
import socketserver
import threading
import traceback
from contextlib import contextmanager
from functools import partial

import pytest
from redis.backoff import NoBackoff
from redis.retry import Retry

from segments_async import AsyncSegments, SegmentsError
from segments_async.bulk import RedisCheckpoint
from segments_async.limits import RedisLimiter

SECRETS = ("hunter2", "0ffice")
PASSWORD = "hunter2\x01 0ffice"
URL = "redis://jane:hunter2%01%200ffice@127.0.0.1:{port}"
ANSWERS = {
    "argument": f"-ERR unknown command 'AUTH', with args beginning with: '{PASSWORD}'",
    "refusal": f"-WRONGPASS \x1b[31m{PASSWORD}\u202e is wrong",
    "no Redis": f"HTTP/1.1 400 AUTH {PASSWORD}",
    "long": f"-ERR {'x' * 280} {PASSWORD} {'x' * 50_000}",
    "disk": f"-MISCONF {PASSWORD}",
}

pytestmark = pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)


@contextmanager
def server(text):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while self.request.recv(65536):
                self.request.sendall(text.encode() + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield URL.format(port=listener.server_address[1])
        listener.shutdown()
        thread.join()


def check(*texts):
    for text in texts:
        assert not [secret for secret in (*SECRETS, "\x1b", "\u202e") if secret in text]


@pytest.mark.anyio
@pytest.mark.parametrize("step", ["run", "delete"])
async def test_of_a_checkpoint(client, text, step):
    with server(text) as url:
        checkpoint = RedisCheckpoint(url, "n", lease=1, retry=Retry(NoBackoff(), 0))
        call = checkpoint.delete if step == "delete" else partial(client.labels.put_many, [], checkpoint=checkpoint)
        with pytest.raises(SegmentsError) as caught:
            await call()
    error = caught.value
    check(str(error), repr(error))
    for shown in ("".join(traceback.format_exception(error)), pickle.dumps(error).decode("latin-1")):
        assert not [secret for secret in SECRETS if secret in shown]
    assert len(str(error)) < 600


@pytest.mark.asyncio
async def test_of_a_limiter(sandbox, text, caplog):
    caplog.set_level(logging.DEBUG, logger="segments_async")
    with server(text) as url:
        limiter = RedisLimiter(url)
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=limiter) as client:
            await client.datasets.list()
        await limiter.aclose()
    (warning,) = [record.message for record in caplog.records if "cannot be used" in record.message]
    check(warning)
    assert len(warning) < 600
