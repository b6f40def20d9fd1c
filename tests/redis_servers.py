"""Redis servers that a test stops, freezes and starts again."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
from typing import Self

from waiting import listens, wait_until


class RedisServer:
    """A server whose data survive a restart."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._port = listener.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, with the data that it had."""
        options = ["--port", str(self._port), "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        command = ["redis-server", *options, "--dir", self._folder.name]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(lambda: self._process.poll() is not None or listens(self._port))

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it answer no more."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer what it was sent meanwhile."""
        self._process.send_signal(signal.SIGCONT)
