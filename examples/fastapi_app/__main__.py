"""``python -m examples.fastapi_app``: run the application with a sandbox in the same process."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import uvicorn

from examples.fastapi_app.app import Settings, make_app
from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox

if TYPE_CHECKING:
    from examples.fastapi_app.live import Live

DATASET = "flowers"
CATEGORIES = [{"name": "flower", "id": 1}, {"name": "leaf", "id": 2}]


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m examples.fastapi_app", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="port of the page; 0 picks a free port (%(default)s)")
    options = parser.parse_args(arguments)
    # Install the handler explicitly: a shell starts background processes with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except OSError as error:
        print(f"cannot listen on port {options.port} ({error.strerror}); try --port 0", file=sys.stderr)
        return 1
    with contextlib.suppress(KeyboardInterrupt), listener:
        serve(listener)
    return 0


def serve(listener: socket.socket) -> None:
    """Serve the page on *listener* until interrupted."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        dataset = anyio.run(make_dataset, sandbox)
        secret = sandbox.add_webhook(f"{url}/webhooks/segments")
        settings = Settings(dataset=dataset, secret=secret, folder=Path(folder), plays_labeller=True)
        app = make_app(settings, lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url))
        print(
            f"Open {url} and drop some images. Press Ctrl-C to stop.",
            "It uses a sandbox, which your own scripts can reach with:",
            f"export SEGMENTS_API_URL={sandbox.url}",
            f"export SEGMENTS_API_KEY={sandbox.api_key}",
            sep="\n",
            flush=True,
        )
        Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5), app.state.live).run([listener])


class Server(uvicorn.Server):
    """
    A server that ends event streams on shutdown, instead of waiting for them.

    Args:
        config: The uvicorn configuration.
        live: The log whose streams to end.
    """

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, then shut down once all responses are sent."""
        self._live.close()
        await super().shutdown(sockets)


async def make_dataset(sandbox: Sandbox) -> str:
    """Create the dataset for the images and return its full name."""
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        await client.datasets.create(
            DATASET, task_type="vector", task_attributes={"format_version": "0.1", "categories": CATEGORIES}
        )
    return f"{sandbox.user}/{DATASET}"


if __name__ == "__main__":
    sys.exit(main())
