"""Requests to storage hosts, which never carry the API key, and their errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from segments_async._http.bodies import MAX_ERROR_BYTES, Body, error_of
from segments_async._wire.replies import Reply, redact_url, storage_error_for
from segments_async.errors import DecodeError

if TYPE_CHECKING:
    from segments_async._http.session import Session
    from segments_async.errors import ApiError


def storage_request(method: str, url: str, **arguments: Any) -> httpx.Request:
    """
    Build a request without the API key.

    Raises:
        DecodeError: *url* is not an HTTP(S) URL.
    """
    try:
        parsed = httpx.URL(url)
        if parsed.scheme in {"http", "https"} and parsed.host:
            return httpx.Request(method, parsed, **arguments)
    except (httpx.InvalidURL, ValueError) as error:  # UnicodeError is a ValueError
        raise DecodeError("the service returned an invalid file URL", payload=url) from error
    raise DecodeError("the service returned an invalid file URL", payload=url)


async def read_storage_error(session: Session, response: httpx.Response) -> ApiError:
    """Read the beginning of an unsuccessful response, and return its error."""
    body = Body(MAX_ERROR_BYTES)
    with anyio.CancelScope() as scope:
        await body.read(response, scope)
    session.pool.counts.bytes_received += body.received
    request = response.request
    shown = redact_url(str(request.url))
    reply = Reply(response.status_code, request.method, shown, response.headers, body.content())
    return await error_of(storage_error_for, reply, now=session.clock.time())


def answer_seconds(session: Session) -> float:
    """Return how long a storage host may take to answer, once it has the request; infinite if `timeout` says so."""
    read = session.timeout.read
    return math.inf if read is None else max(session.retry.total, read)
