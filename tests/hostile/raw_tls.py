"""TLS for raw servers: a certificate authority of our own, and what can go wrong after the handshake."""

from __future__ import annotations

import ssl

import trustme
from raw_server import Peer

SPOILT_RECORD = b"\x17\x03\x03\x00\x20" + b"z" * 32
"""Claims to be encrypted data, and is not."""
PLAIN_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
"""A fatal alert (handshake_failure) that is not encrypted."""
NO_RECORD = b"HTTP/1.1 400 Bad Request\r\n\r\n"
"""Plain HTTP in the middle of TLS, as from a failing load balancer."""


class Authority:
    """Signs the certificates of the servers."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._certificate = self._ca.issue_cert("127.0.0.1", "localhost")

    def write_to(self, path: str) -> None:
        """Write what ``SSL_CERT_FILE`` may name."""
        self._ca.cert_pem.write_to_path(path)

    def context(self, *, wants_certificate: bool = False) -> ssl.SSLContext:
        """
        Make what a server speaks TLS with.

        Args:
            wants_certificate: Refuse clients that have none; with TLS 1.3 they learn it only after their handshake.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._certificate.configure_cert(context)
        if wants_certificate:
            self._ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def spoil(peer: Peer) -> None:
    """Send a record that cannot be decrypted."""
    peer.send_beneath(SPOILT_RECORD)
    peer.stall()


def alert(peer: Peer) -> None:
    """Send an alert as plain text."""
    peer.send_beneath(PLAIN_ALERT)
    peer.stall()


def speak_plainly(peer: Peer) -> None:
    """Send plain HTTP beneath TLS."""
    peer.send_beneath(NO_RECORD)
    peer.stall()


def cut_record(peer: Peer) -> None:
    """Send half a record, and end."""
    peer.send_beneath(SPOILT_RECORD[:10])
    peer.close()


def end_without_notice(peer: Peer) -> None:
    """Close the socket, and say nothing about it in TLS."""
    peer.close()


TLS_FAULTS = {
    "spoilt record": spoil,
    "plain alert": alert,
    "plain words": speak_plainly,
    "cut record": cut_record,
    "no notice": end_without_notice,
    "reset": Peer.reset,
}
"""What a server can do after the handshake, by its name."""
