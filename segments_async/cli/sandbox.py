"""``segments-async sandbox``."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from cyclopts import App

from segments_async.cli.exit_statuses import FAILED
from segments_async.cli.options import command_app
from segments_async.cli.statuses import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

app: App = command_app("sandbox")

START_SECONDS = 30.0


@app.default
def serve(
    *,
    port: int = 0,
    storage_port: int = 0,
    host: str = "127.0.0.1",
    api_key: str = "sandbox-key",
    user: str = "sandbox",
    env: bool = False,
) -> None:
    """
    Run the service in memory until Ctrl-C; all data is lost when it stops.

    To use it in a shell: eval "$(segments-async sandbox --env)" starts it in the background and sets SEGMENTS_API_URL
    and SEGMENTS_API_KEY; kill $SEGMENTS_SANDBOX_PID stops it.

    Args:
        port: The port of the API; 0 picks a free one.
        storage_port: The port of the storage; 0 picks a free one.
        host: The address to listen on.
        api_key: The API key to accept.
        user: The username that the key belongs to.
        env: Start it in the background and print the variables for eval.
    """
    if env:
        ports = ["--port", f"{port}", "--storage-port", f"{storage_port}"]
        _start_in_background(["--host", host, *ports, "--api-key", api_key, "--user", user])
        return
    from segments_async.sandbox import Sandbox
    from segments_async.sandbox.__main__ import serve as serve_until_interrupted

    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts background processes with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        try:
            serve_until_interrupted(
                Sandbox(host=host, port=port, storage_port=storage_port, api_key=api_key, user=user)
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(error.strerror or str(error), status=FAILED) from error


def _start_in_background(options: list[str]) -> None:
    """Start another process that outlives this one, and print the variables of a shell once it listens."""
    command = [sys.executable, "-m", "segments_async.sandbox", *options]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 (this package)
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True, text=True
        )
        assert process.stdout is not None
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        exports = dict(_exports_of(process.stdout))
        watchdog.cancel()
        if not exports:
            process.wait()
            errors.seek(0)
            problem = errors.read().decode(errors="replace").strip().splitlines() or ["it did not start"]
            raise CommandError(f"the sandbox: {problem[-1].rpartition('error: ')[2]}", status=FAILED)
    for name, value in {**exports, "SEGMENTS_SANDBOX_PID": str(process.pid)}.items():
        print(f"export {name}={shlex.quote(value)};")
    print(f"a sandbox runs at {exports['SEGMENTS_API_URL']}; kill {process.pid} stops it", file=sys.stderr)


def _exports_of(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the two variables that the process prints when it listens."""
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if equals and name.startswith("export "):
            yield name.removeprefix("export "), value
            if name.endswith("_KEY"):
                return
