"""Emulation of S3: stores assets and release files on a separate origin."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

from attrs import define, field
from starlette.responses import Response

from segments_async.sandbox.blobs import Blob, StoredObject, requested_part
from segments_async.sandbox.forms import parse_form
from segments_async.sandbox.signing import MAX_ASSET_BYTES, MAX_BODY_BYTES, Signer, StorageError
from segments_async.sandbox.variants import Variants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send


PRIVATE_SCHEMES = ("s3", "gs")
"""Schemes of files in buckets that users connected to the service; it signs URLs to read them."""

_requested_host: ContextVar[str] = ContextVar("_requested_host", default="")


@define(eq=False)
class ObjectStore:
    """The only bucket."""

    signer: Signer
    url: str = ""
    """Its origin for clients on this machine, without a trailing slash."""
    follows_host: bool = False
    """Whether clients on other machines may reach it, so that URLs must have the host that they called."""
    objects: dict[str, Blob] = field(factory=dict)
    variants: Variants = field(factory=Variants)
    _hosts: set[str] = field(factory=set)
    """Origins of URLs that other machines have received."""

    def serve(self, host_header: str) -> None:
        """Note the header ``Host`` of an API request, for the URLs in its response."""
        if self.follows_host:
            _requested_host.set(urlsplit(f"//{host_header}").netloc.rpartition("@")[2])

    @property
    def origin(self) -> str:
        """Its origin for the client that is being served."""
        requested = urlsplit(f"//{_requested_host.get()}") if self.follows_host else None
        if requested is None or not requested.hostname:
            return self.url
        host = f"[{requested.hostname}]" if ":" in requested.hostname else requested.hostname
        origin = f"http://{host}:{urlsplit(self.url).port}"
        self._hosts.add(origin)
        return origin

    def public_url(self, key: str) -> str:
        """Return the URL of *key* without a signature."""
        return f"{self.origin}/{quote(key)}"

    def key_of(self, url: str) -> str | None:
        """Return the key of a URL of this bucket, or of a file in a private bucket of a user; None for another URL."""
        scheme, separator, path = url.partition("://")
        if separator and scheme in PRIVATE_SCHEMES:
            return f"private/{scheme}/{path}"
        for origin in (self.url, *self._hosts):
            if url.startswith(f"{origin}/"):
                return unquote(url.removeprefix(f"{origin}/").partition("?")[0])
        return None

    def signed_url(self, key: str) -> str:
        """Return a presigned URL that can read *key* until it expires."""
        return f"{self.public_url(key)}?{self.signer.get_query(key)}"


class Storage:
    """Handles requests to the storage origin."""

    def __init__(self, store: ObjectStore, review: Callable[[Request], None]) -> None:
        self._store = store
        self._review = review

    async def __call__(self, request: Request) -> Response:
        """Respond to *request*; errors are XML, as in S3."""
        self._review(request)
        try:
            return await self._respond(request)
        except StorageError as problem:
            return _error(problem)

    async def _respond(self, request: Request) -> Response:
        if "authorization" in request.headers:
            raise StorageError(400, "InvalidArgument", "Unsupported Authorization Type")
        path = unquote(request.scope["raw_path"].decode("ascii"))
        if request.method == "POST" and path == "/":
            return await self._upload(request)
        if request.method in {"GET", "HEAD"}:
            return self._download(request, path.removeprefix("/"))
        raise StorageError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")

    async def _upload(self, request: Request) -> Response:
        _check_length(request)
        content_type, body = request.headers.get("content-type", ""), await request.body()
        try:
            items = parse_form(content_type, body)
        except ValueError as error:
            raise StorageError(400, "MalformedPOSTRequest", str(error)) from error
        if not items or items[-1][0] != "file":
            raise StorageError(400, "InvalidArgument", "The last field of the POST form must be the file.")
        fields = {name: value.decode("utf-8", "replace") for name, value in items[:-1]}
        self._store.signer.check_post(fields)
        data = items[-1][1]
        if len(data) > MAX_ASSET_BYTES:
            raise _too_large()
        self._store.objects[fields["key"]] = StoredObject(data, fields["Content-Type"], public=True)
        return Response(None, 204, {"Location": self._store.public_url(fields["key"])})

    def _download(self, request: Request, key: str) -> Response:
        stored = self._store.objects.get(key)
        signed = "X-Amz-Signature" in request.query_params
        if signed or (stored is not None and not stored.public):
            self._store.signer.check_get(key, request.query_params)
        if stored is None:
            raise StorageError(404, "NoSuchKey", "The specified key does not exist.")
        wanted = None if self._store.variants.ignores_ranges else request.headers.get("range")
        part = requested_part(stored, wanted, request.headers.get("if-range"))
        if part is None:
            raise StorageError(416, "InvalidRange", "The requested range is not satisfiable")
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Length": str(part.stop - part.start),
            "Content-Type": stored.content_type,
            "ETag": stored.etag,
        }
        if not part.whole:
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{stored.size}"
        pieces = iter(()) if request.method == "HEAD" else stored.pieces(part.start, part.stop)
        return PiecewiseResponse(pieces, 200 if part.whole else 206, headers)


class PiecewiseResponse(Response):
    """A streaming response that stops generating its body when the client disconnects."""

    def __init__(self, pieces: Iterator[bytes], status: int, headers: dict[str, str]) -> None:
        super().__init__(None, status, headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        transport: asyncio.Transport = scope["state"]["transport"]
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            if transport.is_closing():
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)  # yield to other requests
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _check_length(request: Request) -> None:
    length = request.headers.get("content-length")
    if length is None:
        raise StorageError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    if int(length) > MAX_BODY_BYTES:
        raise _too_large()


def _too_large() -> StorageError:
    return StorageError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")


def _error(problem: StorageError) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{problem.code}</Code><Message>{escape(problem.message)}</Message></Error>"
    )
    return Response(body, problem.status, media_type="application/xml")
