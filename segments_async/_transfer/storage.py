"""Requests to storage hosts, which never carry the API key, and their errors."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from segments_async._http.base_url import BaseUrl
from segments_async._http.bodies import MAX_ERROR_BYTES, Body, error_of
from segments_async._http.request_body import BytesRequest
from segments_async._http.session import USER_AGENT
from segments_async._wire.replies import Reply, redact_url, storage_error_for
from segments_async.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async._http.session import Session
    from segments_async.errors import ApiError


_origin = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?=/)").match


def storage_request(method: str, url: str, **arguments: Any) -> httpx.Request:
    """
    Build a request without the API key.

    Raises:
        DecodeError: *url* is not an HTTP(S) URL.
    """
    return httpx.Request(method, storage_url(url), **arguments)


def get_request(url: str, headers: Mapping[str, str], timeout: dict[str, float | None]) -> httpx.Request:
    """
    Build a GET request without the API key; *headers* are added to the usual ones.

    Raises:
        DecodeError: *url* is not an HTTP(S) URL.
    """
    parsed = storage_url(url)
    request = BytesRequest("GET", parsed, _usual_headers(parsed.netloc), None, {"timeout": timeout})
    if headers:
        request.headers.update(headers)
    return request


@lru_cache(maxsize=128)
def _usual_headers(netloc: bytes) -> httpx.Headers:
    return httpx.Headers({"Host": netloc.decode("ascii"), "Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT})


def storage_url(url: str) -> httpx.URL:
    """
    Parse the URL of a file.

    Raises:
        DecodeError: *url* is not an HTTP(S) URL.
    """
    try:
        parsed = _parse(url)
        if parsed.scheme in {"http", "https"} and parsed.host:
            return parsed
    except (httpx.InvalidURL, ValueError) as error:  # UnicodeError is a ValueError
        raise DecodeError("the service returned an invalid file URL", payload=url) from error
    raise DecodeError("the service returned an invalid file URL", payload=url)


def _parse(url: str) -> httpx.URL:
    origin = _origin(url)
    return httpx.URL(url) if origin is None else _base_of(origin[0]).join(url[origin.end() :])


@lru_cache(maxsize=128)
def _base_of(origin: str) -> BaseUrl:
    return BaseUrl(origin)


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
