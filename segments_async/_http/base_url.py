"""The address of the service, and the URLs of its routes."""

from __future__ import annotations

import re

import httpx

_plain = re.compile(
    r"((?:/(?!\.)(?:[A-Za-z0-9._~-]++|%[0-9A-Fa-f]{2})++)++/?)(?:\?((?:[A-Za-z0-9._~=&/:+-]++|%[0-9A-Fa-f]{2})++))?"
).fullmatch
"""Matches a path, and the query if there is one, that httpx would leave as they are."""
_MAX_PATH = 4096


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
        self._prefix = self._url.raw_path.decode("ascii").rstrip("/")

    def join(self, target: str) -> httpx.URL:
        """Return the URL of a path, with its query if it has one."""
        found = _plain(target) if len(target) <= _MAX_PATH else None
        if found is None:
            return httpx.URL(f"{self._text}{target}")
        url = httpx.URL(self._url)
        # httpx has no public way to replace the path without examining all parts again.
        path, query = f"{self._prefix}{found[1]}", found[2]
        url._uri_reference = self._url._uri_reference._replace(path=path, query=query)  # noqa: SLF001
        return url
