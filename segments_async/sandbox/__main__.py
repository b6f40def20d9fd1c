"""Serve a sandbox until Ctrl-C or SIGTERM: ``python -m segments_async.sandbox --port 8000``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading

from segments_async.sandbox import Sandbox


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m segments_async.sandbox",
        description="The Segments.ai service in memory, on this machine. Everything is gone when it ends.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the API; 0 takes a free one")
    parser.add_argument("--api-key", default="sandbox-key", help="the key to accept (%(default)s)")
    options = parser.parse_args()
    # Set by hand, as a shell starts background processes with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        serve(Sandbox(host=options.host, port=options.port, api_key=options.api_key))


def serve(sandbox: Sandbox) -> None:
    """Print where *sandbox* is, and serve until interrupted."""
    with sandbox:
        text = (
            f"Sandbox of the Segments.ai API at {sandbox.url}, API key {sandbox.api_key} "
            f"({sandbox.other_api_key} is {sandbox.other_user}'s). Ctrl-C ends it.\n"
            f"export SEGMENTS_API_URL={sandbox.url}\n"
            f"export SEGMENTS_API_KEY={sandbox.api_key}"
        )
        print(text, flush=True)  # noqa: T201  (it is a command)
        threading.Event().wait()


if __name__ == "__main__":
    main()
