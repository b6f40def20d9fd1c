"""Addresses to listen on, and the URLs at which clients reach them."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PORT = 65535
UNREACHABLE = ("http://sandbox.invalid", "http://storage.sandbox.invalid")
"""The URLs of the API and the storage without sockets; ``.invalid`` never resolves."""


@frozen
class Address:
    """
    A host and a port to listen on; port 0 picks a free port.

    Raises:
        ValueError: The host or the port is not one.
    """

    host: str
    port: int
    argument: str
    """Name of the port in errors."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.host, str) or set(self.host) & set("/[] "):
            raise ValueError(f'host: expected a name or an address such as "127.0.0.1" or "::1", got {self.host!r}.')
        port = self.port
        if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= MAX_PORT:
            raise ValueError(f"{self.argument}: expected a port from 0 to {MAX_PORT}, got {port!r}.")

    def listen(self) -> socket.socket:
        """
        Return a socket that listens on it.

        Raises:
            OSError: The port is in use or not permitted, or the host is not an address of this machine.
            ValueError: The host is no name at all.
        """
        try:
            return self._listen()
        except OSError as error:
            raise type(error)(error.errno, f"{self._described()}: {_problem_of(error)}") from None
        except ValueError as error:
            raise ValueError(f"{self._described()}: {error}.") from None

    def _described(self) -> str:
        port = f", {self.argument} {self.port}" if self.port else ""
        return f"cannot listen on host {self.host!r}{port}"

    def _listen(self) -> socket.socket:
        if ":" not in self.host:
            return socket.create_server((self.host, self.port))
        both = is_wildcard(self.host) and socket.has_dualstack_ipv6()
        return socket.create_server((self.host, self.port), family=socket.AF_INET6, dualstack_ipv6=both)


def _problem_of(error: OSError) -> str:
    """Return the words of the system, without the address that Python adds."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror or error)
    return os.strerror(error.errno)


def is_wildcard(host: str) -> bool:
    """Return whether a server on *host* listens on all addresses of the machine."""
    try:
        return host == "" or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def listen(addresses: Iterable[Address]) -> list[socket.socket]:
    """Listen on all of *addresses*, or on none."""
    listeners: list[socket.socket] = []
    try:
        listeners.extend(address.listen() for address in addresses)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def url_of(listener: socket.socket) -> str:
    """Return the URL at which this machine reaches *listener*."""
    host, port = listener.getsockname()[:2]
    if is_wildcard(host):
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
