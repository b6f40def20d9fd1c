"""
Exchanges without httpx's objects: what a transport needs for them, and what it gives.

httpx builds a request and a response with headers, URL and streams, and passes them through layers that are of use to
those who watch or replace them. A transport that has an open connection may leave all of it out if nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import httpx

if TYPE_CHECKING:
    from segments_async._http.bodies import Body
    from segments_async._http.exchange import Exchange
    from segments_async._http.request_body import SimpleRequest


class OutOfTimeError(Exception):
    """The call must be over by now."""


class Headers(Mapping[str, str]):
    """The headers of a response, which few calls read; names are looked up in any case."""

    __slots__ = ("_raw", "_read")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._read: httpx.Headers | None = None

    def _headers(self) -> httpx.Headers:
        if self._read is None:
            self._read = httpx.Headers(list(self._raw))
        return self._read

    def __getitem__(self, name: str) -> str:
        return self._headers()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers())

    def __len__(self) -> int:
        return len(self._headers())

    def __repr__(self) -> str:
        return repr(self._headers())


def coding_in(raw: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the ``Content-Encoding`` of a response; None if it has none."""
    codings = [value for name, value in raw if name.lower() == b"content-encoding"]
    return b", ".join(codings).decode("latin-1") if codings else None


class Answer(NamedTuple):
    """A response whose body was read."""

    status: int
    headers: Mapping[str, str]


class DirectTransport(Protocol):
    """A transport that can leave httpx out."""

    def is_watched(self) -> bool:
        """Return whether somebody has instrumented, mocked or replaced what would be left out."""

    async def exchange(self, request: SimpleRequest, exchange: Exchange, body: Body, ends_at: float) -> Answer | None:
        """
        Send *request* over an open connection, and read the response.

        Args:
            request: The request.
            exchange: Is told whether the request may have been sent.
            body: Gets the body of the response.
            ends_at: When the exchange must be over, in the time of the event loop.

        Returns:
            The response; None if nothing was done, as there is no open connection, or the request is not that simple.

        Raises:
            OutOfTimeError: It was not over in time.
            httpx.TransportError: As over httpx.
        """


class Originals:
    """
    Methods of other libraries that are left out as long as nobody has replaced them.

    Args:
        methods: Classes and the names of their methods.
    """

    def __init__(self, *methods: tuple[type, str]) -> None:
        self._methods = [(owner, name, _original(owner, name)) for owner, name in methods]

    def are_in_place(self) -> bool:
        """Return whether all are those of their libraries."""
        for owner, name, function in self._methods:  # noqa: SIM110 (runs for each request)
            if getattr(owner, name) is not function:
                return False
        return True


def _original(owner: type, name: str) -> object:
    """Return a method; None if it was replaced before, as then it is of another module than its class."""
    method: object = getattr(owner, name)
    definer: Any = next(cls for cls in owner.__mro__ if name in cls.__dict__)
    is_own = isinstance(method, FunctionType) and method.__globals__ is definer.__init__.__globals__
    return method if is_own else None
