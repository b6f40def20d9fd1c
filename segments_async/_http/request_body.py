"""Requests whose body is `bytes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests have a ``Content-Length`` even without a body (RFC 9110, 8.6)."""


class BytesRequest(httpx.Request):
    """
    A request that is already read. httpx would look for headers that are missing, and examine each one's encoding.

    Args:
        method: The method.
        url: The URL.
        headers: All headers but the length of the body, which they do not contain.
        content: The body; None for a request without one.
        extensions: For the transport.
    """

    def __init__(
        self, method: str, url: httpx.URL, headers: httpx.Headers, content: bytes | None, extensions: dict[str, Any]
    ) -> None:
        self.method = method.upper()
        self.url = url
        self.extensions = dict(extensions)
        self.headers = httpx.Headers(headers, "utf-8")
        self._content = content or b""
        self.stream = BytesStream(self._content)
        if content is not None or self.method in _WITH_LENGTH:
            length = b"%d" % len(self._content)
            self.headers._list.append((b"Content-Length", b"content-length", length))  # noqa: SLF001 (see above)


class BytesStream(httpx.ByteStream):
    """
    A request body in one piece.

    httpx's own is an async generator, even for an empty body, and trio warns if one is not exhausted because sending
    was cancelled.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _SingleChunk(self.content)


class _SingleChunk:
    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content, self._content = self._content, None
        if content is None:
            raise StopAsyncIteration
        return content
