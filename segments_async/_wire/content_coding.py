"""Decode response bodies piece by piece, and detect one that ends early."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 1024 * 1024
"""Maximum output of one decompression step, so that a small input cannot fill the memory at once."""

_ZLIB_HEADER_BYTES = 2


class CodingError(Exception):
    """The body is not what its ``Content-Encoding`` says, or ended early."""


class BodyDecoder(Protocol):
    """Converts the bytes on the wire to the content."""

    @property
    def is_coded(self) -> bool:
        """Whether the content differs from the bytes on the wire."""
        raise NotImplementedError

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode *data*; pieces are at most `PIECE_BYTES` long if they were compressed."""
        raise NotImplementedError

    def finish(self) -> None:
        """Check that the body is complete."""
        raise NotImplementedError


def decoder_for(content_encoding: str) -> BodyDecoder:
    """
    Choose the decoder for a ``Content-Encoding``.

    Example:
        >>> decoder = decoder_for("identity")
        >>> b"".join(decoder.feed(b"abc"))
        b'abc'

    Raises:
        CodingError: The coding is not known, or there are several, each of which multiplies the size of a small body.
    """
    codings = [name.strip().lower() for name in content_encoding.split(",")]
    codings = [name for name in codings if name not in {"", "identity"}]
    if not codings:
        return _Identity()
    if len(codings) > 1:
        raise CodingError(f"several content codings: {content_encoding[:80]!r}")
    match codings[0]:
        case "gzip" | "x-gzip":
            return _Inflate(zlib.MAX_WBITS | 16)
        case "deflate":
            return _Inflate(zlib.MAX_WBITS)
        case _:
            raise CodingError(f"unknown content coding {content_encoding[:80]!r}")


class _Identity:
    is_coded = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data

    def finish(self) -> None:
        pass


class _Inflate:
    """
    Decode gzip with any number of members (RFC 1952, 2.2), or deflate with or without the zlib header.

    zlib's own object stops after the first member, and httpx's decoder with it.
    """

    is_coded = True

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inflater = zlib.decompressobj(wbits)
        self._is_new = True
        """Whether the current member has no input yet."""
        self._empty = True
        """Whether the body had no input yet; HEAD and 204 have none."""
        self._head = b""
        """The first byte of deflate, kept until the second shows whether there is a zlib header."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode *data*."""
        if self._may_be_raw:
            data, self._head = self._head + data, b""
            if len(data) < _ZLIB_HEADER_BYTES:
                self._head = data
                return
        while data:
            if self._inflater.eof:
                data = self._next_member(data)
                if not data:
                    return
                self._inflater, self._is_new = zlib.decompressobj(self._wbits), True
            try:
                piece = self._inflater.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                if not self._may_be_raw:
                    raise CodingError(str(error)) from None
                self._wbits = -zlib.MAX_WBITS
                self._inflater = zlib.decompressobj(self._wbits)
                continue
            self._is_new = self._empty = False
            data = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if piece:
                yield piece

    def finish(self) -> None:
        """Check that the last member is complete."""
        if self._head or not (self._inflater.eof or self._empty):
            raise CodingError("the compressed body ended early")

    def _next_member(self, data: bytes) -> bytes:
        """Return the bytes of the next member: without the padding of zeros that gzip allows; deflate has only one."""
        return data.lstrip(b"\0") if self._wbits > zlib.MAX_WBITS else b""

    @property
    def _may_be_raw(self) -> bool:
        """Whether this may be deflate without the zlib header, as some servers send it."""
        return self._wbits == zlib.MAX_WBITS and self._is_new
