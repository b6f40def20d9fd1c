"""The example application and a sandbox for it, each in its own process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from benchmarks.stopwatch import peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

DATASET = "sandbox/flowers"


@frozen
class Application:
    """The application under load."""

    url: str
    cost: dict[str, float] = field(factory=dict)
    """``cpu`` (in seconds) and ``memory`` (peak, in MB) of its process, once it has ended."""


@contextmanager
def running_application() -> Iterator[Application]:
    """Start the sandbox and the application, which has one worker."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener, tempfile.TemporaryDirectory() as folder:
        app = Application(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with _process("service", app.url) as (_, service):
            arguments = json.dumps({**service, "folder": folder, "listener": listener.fileno()})
            with _process("application", arguments, pass_fds=[listener.fileno()]) as (process, _):
                yield app
                process.send_signal(signal.SIGINT)
                app.cost.update(json.loads(process.communicate(timeout=30)[0].splitlines()[-1]))


@contextmanager
def _process(part: str, argument: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "benchmarks.app_parts", part, argument]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def serve_service(app_url: str) -> None:
    """Run a sandbox that sends webhooks to the application."""
    import anyio

    from examples.fastapi_app.__main__ import make_dataset
    from segments_async.sandbox import Sandbox

    with Sandbox() as sandbox:
        anyio.run(make_dataset, sandbox)
        secret = sandbox.add_webhook(f"{app_url}/webhooks/segments")
        print(json.dumps({"url": sandbox.url, "key": sandbox.api_key, "secret": secret}), flush=True)
        Event().wait()


def serve_application(arguments: str) -> None:
    """Run the application until it is interrupted, then print its CPU time and peak memory."""
    import uvicorn

    from examples.fastapi_app.__main__ import Server
    from examples.fastapi_app.app import Settings, make_app
    from segments_async import AsyncSegments

    options = json.loads(arguments)
    settings = Settings(dataset=DATASET, secret=options["secret"], folder=options["folder"], plays_labeller=True)
    app = make_app(settings, lambda: AsyncSegments(options["key"], base_url=options["url"]))
    server = Server(uvicorn.Config(app, log_level="warning"), app.state.live)
    print("{}", flush=True)
    started = time.process_time()
    with suppress(KeyboardInterrupt), socket.socket(fileno=options["listener"]) as listener:
        server.run([listener])
    print(json.dumps({"cpu": time.process_time() - started, "memory": peak_memory()}))


if __name__ == "__main__":
    {"service": serve_service, "application": serve_application}[sys.argv[1]](sys.argv[2])
