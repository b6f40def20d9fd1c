"""Redis servers that a test stops, freezes and starts again, and the ways to them."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import trustme
from waiting import listens, wait_until


class RedisServer:
    """
    A server whose data survive a restart.

    Args:
        options: Further options of its command.
        tls: Whether it speaks TLS alone, with a certificate of the authority in `authority`.
    """

    def __init__(self, *options: str, tls: bool = False) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._options = options
        self._tls = tls
        self.url = f"redis{'s' * tls}://127.0.0.1:{self.port}/0"
        self.authority = str(Path(self._folder.name) / "authority.pem")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, with the data that it had."""
        ports = self._tls_options() if self._tls else ["--port", str(self.port)]
        options = [*ports, "--save", "", "--appendonly", "yes", "--appendfsync", "always", *self._options]
        command = ["redis-server", *options, "--dir", self._folder.name]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(lambda: self._process.poll() is not None or listens(self.port))

    def _tls_options(self) -> list[str]:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(self.authority)
        chain, key = (str(Path(self._folder.name) / name) for name in ("chain.pem", "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(chain)
        certificate.private_key_pem.write_to_path(key)
        files = ["--tls-cert-file", chain, "--tls-key-file", key, "--tls-ca-cert-file", self.authority]
        return ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no", *files]

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


@asynccontextmanager
async def behind_a_name(urls: list[str], seconds: float = 0.0) -> AsyncIterator[str]:
    """Serve the last of some servers, *seconds* away; open connections stay with theirs. Yields the URL."""
    loop = asyncio.get_running_loop()
    here = urlsplit(urls[-1])
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                loop.call_later(seconds / 2, writer.write, data)
            await asyncio.sleep(seconds / 2)
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)  # of the handshake
        server = urlsplit(urls[-1])
        there, back = await asyncio.open_connection(server.hostname, server.port)
        pumps.update(asyncio.ensure_future(pump(*ways)) for ways in ((reader, back), (there, writer)))

    try:
        async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            yield here._replace(netloc=here.netloc.replace(str(here.port), str(port))).geturl()
    finally:
        await asyncio.sleep(seconds)
        for pump_left in pumps:
            pump_left.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
