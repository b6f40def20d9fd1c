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
    """A request that reached the sandbox, and the status of its response."""

    origin: Origin
    """The host it was sent to: the API, or the storage that emulates S3."""
    method: str
    """The HTTP method, in upper case."""
    path: str
    """The path as sent, including percent-encoding."""
    query: str
    """The query string as sent, without the question mark."""
    headers: Mapping[str, str]
    """All request headers, with names in lower case; includes the API key."""
    body_bytes: int
    """Size of the request body as received; for a compressed body, the compressed size."""
    peer_port: int
    """The client's port, which identifies the connection."""
    request_id: str
    """The ``X-Request-Id`` of the response."""
    status: int | None
    """The status of the response; None if the connection was dropped instead."""

    @classmethod
    def of(cls, request: Request, *, origin: Origin, request_id: str, body_bytes: int, status: int | None) -> Call:
        """Create the log entry of *request*."""
        scope = request.scope
        return cls(
            origin=origin,
            method=scope["method"],
            path=scope["raw_path"].decode("ascii"),
            query=scope["query_string"].decode("latin-1"),
            # Interned to save memory: 100,000 calls repeat the same few strings.
            headers={sys.intern(n.decode()): sys.intern(v.decode("latin-1")) for n, v in scope["headers"]},
            body_bytes=body_bytes,
            peer_port=scope["client"][1] if scope["client"] else 0,
            request_id=request_id,
            status=status,
        )
