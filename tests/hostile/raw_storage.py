"""Storage hosts, and an API that sends clients there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from raw_server import Peer, RawServer, Request, Script, answer

REFUSAL = b"<Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message></Error>"
"""An error of S3, as XML."""


def refusal(status: int = 403) -> bytes:
    """S3's answer to what it does not take."""
    return answer(REFUSAL, status, {"Content-Type": "application/xml", "Connection": "close"})


def refuse_and_close(peer: Peer, request: Request) -> None:
    """Answer 403 before the file was read, and close at once, which resets the connection."""
    peer.read_body(request, 1000)
    peer.send(refusal())
    peer.close()


def refuse_and_read_no_more(peer: Peer, request: Request) -> None:
    """Answer 403 before the file was read, and leave the rest where it is."""
    peer.read_body(request, 1000)
    peer.send(refusal())
    peer.stall()


def refuse_and_drain(peer: Peer, request: Request) -> None:
    """Answer 403 before the file was read, and read the rest."""
    peer.read_body(request, 1000)
    peer.send(refusal())
    peer.half_close()
    peer.read_body(request)


EARLY_REFUSALS: dict[str, Script] = {
    "close": refuse_and_close,
    "no more": refuse_and_read_no_more,
    "drain": refuse_and_drain,
}


@contextmanager
def uploads_go_to(storage: str) -> Iterator[RawServer]:
    """Run an API that knows one call: it sends each upload to *storage*, by presigned POST."""

    def create(peer: Peer, request: Request) -> None:
        asset = {"url": f"{storage}/bucket/{request.number}", "presignedPostFields": {"url": storage, "fields": {}}}
        peer.send(answer(asset, 201))

    with RawServer(create) as api:
        yield api


def file_answer(
    content: bytes, *, tag: str | None = '"1"', first: int | None = None, total: int | None = None
) -> bytes:
    """
    Make the answer of a host that has *content*.

    Args:
        content: The whole file.
        tag: Its ETag.
        first: From which byte on it is sent, as a 206; None is the whole.
        total: The size of the whole file in the 206; by default the real one.
    """
    headers: dict[str, object] = {"Content-Type": "image/png"} | ({} if tag is None else {"ETag": tag})
    if first is None:
        return answer(content, 200, headers)
    headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content) if total is None else total}"
    return answer(content[first:], 206, headers)


def range_start(request: Request) -> int:
    """From which byte on the rest of a file was asked for."""
    return int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))


def first_then(first: Callable[[Peer], object], then: Script) -> Script:
    """Use another script for the first request."""

    def script(peer: Peer, request: Request) -> None:
        if request.number == 0:
            first(peer)
        else:
            then(peer, request)

    return script
