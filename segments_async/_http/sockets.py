"""Sockets that do not lose a response when a write fails."""

from __future__ import annotations

import socket
from typing import Any


class PatientSocket(socket.socket):
    """
    A socket that reports a lost connection when it is read, and not when it is written.

    A server that refuses an upload may answer, and then close the connection while the client still writes. asyncio
    drops the connection as soon as a write fails, together with the answer that has arrived and was not read yet. Here
    the failed write seems to succeed, so that asyncio reads the answer, and after it the end of the connection.
    """

    __slots__ = ()

    def send(self, data: Any, *flags: int) -> int:
        """Send *data*, or drop it if the connection is lost."""
        try:
            return super().send(data, *flags)
        except (BrokenPipeError, ConnectionResetError):
            return memoryview(data).nbytes

    def sendmsg(self, buffers: Any, *rest: Any) -> int:
        """Send *buffers*, or drop them if the connection is lost."""
        pieces = list(buffers)
        try:
            return super().sendmsg(pieces, *rest)
        except (BrokenPipeError, ConnectionResetError):
            return sum(memoryview(piece).nbytes for piece in pieces)


def make_patient(transport_socket: Any) -> None:
    """Turn the socket of an asyncio transport into a `PatientSocket`; other objects are left alone."""
    inner = getattr(transport_socket, "_sock", None)
    if type(inner) is socket.socket:
        inner.__class__ = PatientSocket


def patient_socket(address: tuple[Any, ...]) -> PatientSocket:
    """Create a socket for an entry of `socket.getaddrinfo`."""
    family, kind, protocol, *_ = address
    return PatientSocket(family, kind, protocol)
