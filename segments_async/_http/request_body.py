"""Requests whose body is `bytes`, in the parts that each way of sending needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from segments_async._http.base_url import Address

_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests have a ``Content-Length`` even without a body (RFC 9110, 8.6)."""
_PLAIN_METHODS = _WITH_LENGTH | {"GET", "HEAD", "DELETE"}
_is_line = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [!-~]+(?: [!-~]+)*").fullmatch
"""Matches a header that every library would send as it is."""


class CommonHeaders:
    """
    The headers of many requests: all but the length of the body.

    Attributes:
        headers: For httpx.
        raw: Names and values.
        block: The lines of all; None if some library would refuse one.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers: httpx.Headers = httpx.Headers(headers)
        self.raw: list[tuple[bytes, bytes]] = self.headers.raw
        lines = [b"%b: %b" % pair for pair in self.raw]
        self.block: bytes | None = b"".join(b"%b\r\n" % line for line in lines) if all(map(_is_line, lines)) else None


@frozen(eq=False)
class SimpleRequest:
    """A request as a call makes it, before it is known how it is sent."""

    method: str
    address: Address
    common: CommonHeaders
    content: bytes | None
    timeouts: Mapping[str, float | None]
    """As in the extensions of httpx."""

    @property
    def body(self) -> bytes:
        """The body; empty if there is none."""
        return self.content or b""

    def is_simple(self, *, below: int) -> bool:
        """Return whether its method has no rules of its own, and its body has less than *below* bytes."""
        return self.method in _PLAIN_METHODS and len(self.body) < below

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """All headers."""
        length = _length_of(self.method, self.content)
        return self.common.raw if length is None else [*self.common.raw, (b"Content-Length", length)]

    def encode(self) -> bytes | None:
        """Return the bytes of the request; None if some library would send others, or none."""
        block, length = self.common.block, _length_of(self.method, self.content)
        if block is None:
            return None
        line = f"{self.method} {self.address.target} HTTP/1.1\r\n".encode("ascii")
        end = b"\r\n" if length is None else b"Content-Length: %b\r\n\r\n" % length
        return b"".join((line, block, end, self.content or b""))

    def for_httpx(self) -> BytesRequest:
        """Return the same for httpx."""
        url, extensions = self.address.url(), {"timeout": dict(self.timeouts)}
        return BytesRequest(self.method, url, self.common.headers, self.content, extensions)


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
        self.method: str = method.upper()
        self.url = url
        self.extensions: dict[str, Any] = dict(extensions)
        self.headers: httpx.Headers = httpx.Headers(headers, "utf-8")
        self._content = content or b""
        self.stream: BytesStream = BytesStream(self._content)
        length = _length_of(self.method, content)
        if length is not None:
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


def _length_of(method: str, content: bytes | None) -> bytes | None:
    """Return the value of the ``Content-Length``; None if there is none."""
    return b"%d" % len(content or b"") if content is not None or method in _WITH_LENGTH else None
