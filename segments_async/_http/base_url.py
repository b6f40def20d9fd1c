"""The address of the service, and the URLs of its routes."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import httpx
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

Origin = tuple[str, str, int | None]
"""Scheme, host and port."""

_plain = re.compile(
    r"((?:/(?!\.)(?:[A-Za-z0-9._~-]++|%[0-9A-Fa-f]{2})++)++/?)(?:\?((?:[A-Za-z0-9._~=&/:+-]++|%[0-9A-Fa-f]{2})++))?"
).fullmatch
"""Matches a path, and the query if there is one, that httpx would leave as they are."""
_MAX_PATH = 4096


@frozen(eq=False)
class Address:
    """A URL in the parts that a request needs."""

    origin: Origin
    target: str
    """Path and query."""
    text: str
    """The URL."""
    url: Callable[[], httpx.URL]
    """Returns it for httpx."""


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and port."""
    return url.scheme, url.host, url.port


def address_of(url: httpx.URL) -> Address:
    """Return the address of a URL."""
    return Address(origin_of(url), url.raw_path.decode("ascii"), str(url), lambda: url)


class BaseUrl:
    """
    The URL that all routes start with.

    httpx examines each character of a URL, which costs more than all else that is done to build a request. A path of
    declared routes, whose names are percent-encoded, cannot change host or port, and httpx would leave it as it is. So
    do most signed URLs of files.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._url = httpx.URL(text)
        self.host: str = self._url.netloc.decode("ascii")
        """The value of a ``Host`` header."""
        self._origin = origin_of(self._url)
        self._prefix = self._url.raw_path.decode("ascii").rstrip("/")
        self._root = f"{self._url.scheme}://{self.host}"

    def address(self, target: str) -> Address:
        """Return the address of a path, with its query if it has one."""
        found = _plain(target) if len(target) <= _MAX_PATH else None
        if found is None:
            return address_of(httpx.URL(f"{self._text}{target}"))
        target = f"{self._prefix}{target}"
        return Address(self._origin, target, f"{self._root}{target}", partial(self._with, found[1], found[2]))

    def join(self, target: str) -> httpx.URL:
        """Return the URL of a path, with its query if it has one."""
        found = _plain(target) if len(target) <= _MAX_PATH else None
        return httpx.URL(f"{self._text}{target}") if found is None else self._with(found[1], found[2])

    def _with(self, path: str, query: str | None) -> httpx.URL:
        url = httpx.URL(self._url)
        # httpx has no public way to replace the path without examining all parts again.
        path = f"{self._prefix}{path}"
        url._uri_reference = self._url._uri_reference._replace(path=path, query=query)  # noqa: SLF001
        return url
