"""Serve a sandbox until Ctrl-C or SIGTERM: ``python -m segments_async.sandbox --port 8000``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading

from segments_async.sandbox import Sandbox


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m segments_async.sandbox",
        description="Run an in-memory implementation of the Segments.ai service. All data is lost when it stops.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the API; 0 picks a free port")
    parser.add_argument("--storage-port", type=int, default=0, help="port of the storage; 0 picks a free port")
    parser.add_argument("--api-key", default="sandbox-key", help="API key to accept (%(default)s)")
    parser.add_argument("--user", default="sandbox", help="username that the key belongs to (%(default)s)")
    options = parser.parse_args()
    # Install handlers explicitly: a shell starts background processes with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            ports = {"port": options.port, "storage_port": options.storage_port}
            serve(Sandbox(host=options.host, api_key=options.api_key, user=options.user, **ports))
        except ValueError as error:
            parser.error(str(error))
        except OSError as error:
            parser.exit(1, f"error: {error.strerror or error}\n")


def serve(sandbox: Sandbox) -> None:
    """Print the URL of *sandbox* and serve until interrupted."""
    with sandbox:
        text = (
            f"Segments.ai sandbox at {sandbox.url}, API key {sandbox.api_key} "
            f"({sandbox.other_api_key} for user {sandbox.other_user}). Press Ctrl-C to stop.\n"
            f"export SEGMENTS_API_URL={sandbox.url}\n"
            f"export SEGMENTS_API_KEY={sandbox.api_key}"
        )
        print(text, flush=True)  # noqa: T201  (command-line output)
        threading.Event().wait()


if __name__ == "__main__":
    main()
