"""A listening socket served by uvicorn's HTTP protocol."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 60
STOP_SECONDS = 5.0


class _Protocol(H11Protocol):
    """Exposes the transport in ``scope["state"]``, so that the application can drop its connection."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        # Set here, because the configuration would disable the access log of every uvicorn in this process.
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's signature
        super().connection_made(transport)
        # Headers and body are two writes. With Nagle's algorithm, the second waits 40 ms for the client's ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {"transport": transport}


class Origin:
    """
    Serves *app* on *listener* in a running event loop.

    Uses uvicorn's protocol without `uvicorn.Server`, which handles signals and polls every 0.1 seconds, so it stops
    slowly. This class stops immediately, whatever the clients do.
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
        self._server_state = ServerState()

    async def start(self) -> None:
        """Start accepting connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._create_protocol, sock=self._listener, backlog=2048)

    async def stop(self) -> None:
        """Close every connection and cancel every request."""
        # A server that is closed does not take over, nor close, a connection that was accepted just before.
        with suppress(NotImplementedError):  # of the event loop of Windows
            asyncio.get_running_loop().remove_reader(self._listener)
        async with asyncio.timeout(STOP_SECONDS):
            for _ in range(3):  # a connection accepted just now appears after three loop iterations
                await asyncio.sleep(0)
            self._server.close()
            while self._server_state.connections:
                for connection in list(self._server_state.connections):
                    connection.transport.abort()
                await asyncio.sleep(0)
            tasks = set(self._server_state.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._server.wait_closed()

    def _create_protocol(self) -> _Protocol:
        return _Protocol(config=self._config, server_state=self._server_state, app_state={})
