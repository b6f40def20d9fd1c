"""A response as it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from segments_async._wire.replies import Reply, decoded_body

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen(kw_only=True)
class RawResponse:
    """
    A successful response as it came; ``request(..., raw=True)`` of a client returns it.

    Example::

        answer = await client.request("GET", "/user", raw=True)
        print(answer.status, answer.headers["content-type"], answer.request_id)
        user = structure(answer.body, User)
    """

    status: int
    """The HTTP status, such as 201."""
    method: str
    """The method of the request."""
    url: str
    """The URL of the request, without the signature of a presigned one."""
    headers: Mapping[str, str] = field(repr=False)
    """The headers; names are looked up in any case. The values of a repeated header are joined with commas."""
    content: bytes = field(repr=False)
    """The body, decompressed."""
    request_id: str | None
    """The id to quote when contacting Segments.ai support; None if the response had none."""

    @property
    def body(self) -> Any:
        """The body, decoded if it is JSON, otherwise the first 100,000 bytes as text; None if it is empty."""
        return decoded_body(self.content) if self.content else None


def raw_response(reply: Reply) -> RawResponse:
    """Return what a caller may see of *reply*."""
    return RawResponse(
        status=reply.status,
        method=reply.method,
        url=reply.url,
        headers=reply.headers,
        content=reply.content,
        request_id=reply.request_id,
    )
