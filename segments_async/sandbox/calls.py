from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

Origin = Literal["api", "storage"]


@frozen(kw_only=True)
class Call:
    """One request that reached the sandbox, and what it got."""

    origin: Origin
    """The host it was sent to: the API, or the storage that plays S3."""
    method: str
    path: str
    """As it was sent, percent-encoding included."""
    query: str
    """As it was sent, without the question mark."""
    headers: Mapping[str, str]
    """All request headers, names in lower case; the API key is among them."""
    body_bytes: int
    """Size of the request's body as received (compressed, if it was)."""
    peer_port: int
    """The client's port: the same number is the same connection."""
    request_id: str
    """The answer's ``X-Request-Id``."""
    status: int | None
    """The answer's status; None if the connection was cut instead."""

    @classmethod
    def of(cls, request: Request, *, origin: Origin, request_id: str, body_bytes: int, status: int | None) -> Call:
        """Note down *request*."""
        scope = request.scope
        return cls(
            origin=origin,
            method=scope["method"],
            path=scope["raw_path"].decode("ascii"),
            query=scope["query_string"].decode("latin-1"),
            # Interned, as a hundred thousand calls carry the same few texts.
            headers={sys.intern(n.decode()): sys.intern(v.decode("latin-1")) for n, v in scope["headers"]},
            body_bytes=body_bytes,
            peer_port=scope["client"][1] if scope["client"] else 0,
            request_id=request_id,
            status=status,
        )
