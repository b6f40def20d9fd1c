"""`InteractiveSegments` answers 504 in time, whatever the service does."""

import socket
import threading
from contextlib import contextmanager
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI

from segments_async import AsyncSegments, RetryPolicy
from segments_async.fastapi import add_error_handlers, interactive, lifespan

PATIENCE = 20.0
"""Seconds after which the route counts as hanging: many times its own limits."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n["


@contextmanager
def dripping(first):
    """A server that answers with *first*, and then sends a byte now and then; its URL."""
    stop = threading.Event()

    def serve(connection):
        with connection:
            try:
                connection.recv(65_536)
                connection.sendall(first)
                while not stop.wait(0.05):
                    connection.sendall(b" " if first.endswith(b"[") else b"x")
            except OSError:
                pass

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    threads = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
    for thread in (accepting, *threads):
        thread.join(10)


@pytest.mark.parametrize("first", [HEAD, b"HTTP/1.1 200 OK\r\nX-Slow: "], ids=["body", "headers"])
def test_a_service_that_drips(serving, first):
    with dripping(first) as url:
        app = FastAPI(lifespan=lifespan(lambda: AsyncSegments("k", base_url=url)))
        add_error_handlers(app)
        quick = interactive(timeout=0.3, max_wait=0.3, retry=RetryPolicy(attempts=2, total=0.6))

        @app.get("/")
        async def get(client: Annotated[AsyncSegments, quick]) -> int:
            return len(await client.datasets.list())

        with serving(app) as port, httpx.Client(trust_env=False, timeout=PATIENCE) as web:
            assert web.get(f"http://127.0.0.1:{port}/").status_code == 504
