from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import uvicorn
from attrs import define, field
from waiting import wait_until


@define
class Inbox:
    """A server that takes webhooks, and answers with `statuses`, then with 204."""

    url: str = ""
    statuses: list[int] = field(factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(factory=list)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    box = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            box.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(box.statuses.pop(0) if box.statuses else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        box.url = f"http://127.0.0.1:{server.server_port}/hooks"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield box
        server.shutdown()
        thread.join()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until a condition is true, by what another thread does."""
    return wait_until


@contextmanager
def _serving(app):
    """A real uvicorn, in a thread; its port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def serving():
    """``with serving(app) as port``: a real uvicorn."""
    return _serving
