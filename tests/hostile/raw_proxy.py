"""A forward proxy that refuses, stalls, cuts or relays."""

from __future__ import annotations

import select
import socket

from raw_server import Peer, Request, answer, head


def relay(peer: Peer, request: Request) -> None:
    """Tunnel a CONNECT to its target; other requests are not forwarded."""
    host, _, port = request.target.rpartition(":")
    with socket.create_connection((host, int(port))) as there:
        peer.send(head("200 Connection established"))
        while True:
            readable, _, _ = select.select([peer.plain, there], [], [])
            if there in readable:
                if not (data := there.recv(65536)):
                    break
                peer.send(data)
            if peer.plain in readable:
                if not (data := peer.receive()):
                    break
                there.sendall(data)
    peer.close()


def demand_password(peer: Peer, request: Request) -> None:
    """Answer 407."""
    peer.send(answer(b"who are you?", 407, {"Proxy-Authenticate": 'Basic realm="office"'}))


def be_down(peer: Peer, request: Request) -> None:
    """Answer 502."""
    peer.send(answer(b"<html>no route</html>", 502))


def hang(peer: Peer, request: Request) -> None:
    """Answer nothing."""
    peer.stall()


def cut(peer: Peer, request: Request) -> None:
    """Close instead of answering."""
    peer.close()


def reset(peer: Peer, request: Request) -> None:
    """Reset instead of answering."""
    peer.reset()


def speak_nonsense(peer: Peer, request: Request) -> None:
    """Answer with what is no HTTP."""
    peer.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    peer.close()


PROXY_FAULTS = {
    "407": demand_password,
    "502": be_down,
    "hangs": hang,
    "cut": cut,
    "reset": reset,
    "nonsense": speak_nonsense,
}
"""Faults of a proxy, by name: it opens no tunnel, so nothing is sent to the service."""
