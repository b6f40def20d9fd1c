"""One listening socket, served by uvicorn's HTTP protocol."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 60
STOP_SECONDS = 5.0


class _Protocol(H11Protocol):
    """Lets the application cut its connection: the transport is in ``scope["state"]``."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        # Here and not in the configuration, which would silence every other uvicorn of this process too.
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        # Head and body are two writes; without this the second waits 40 ms for the client's acknowledgement.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {"transport": transport}


class Origin:
    """
    Serves *app* on *listener*, inside a running loop.

    Uses uvicorn's protocol without its `uvicorn.Server`, which polls every 0.1 seconds and takes signals, and
    so stops slowly; here a stop is immediate, whatever the clients do.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._config.load()
        self._listener = listener
        self._connected = ServerState()

    async def start(self) -> None:
        """Begin to accept connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=self._listener, backlog=2048)

    async def stop(self) -> None:
        """Cut every connection and cancel every request."""
        self._server.close()
        async with asyncio.timeout(STOP_SECONDS):
            for _ in range(3):  # a connection accepted in this very moment needs three turns to appear
                await asyncio.sleep(0)
            while self._connected.connections:
                for connection in list(self._connected.connections):
                    connection.transport.abort()
                await asyncio.sleep(0)
            tasks = set(self._connected.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._server.wait_closed()

    def _protocol(self) -> _Protocol:
        return _Protocol(config=self._config, server_state=self._connected, app_state={})
