"""Decide which redirects of the API are followed: only those that add or drop the trailing slash."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from segments_async._wire.replies import DEFAULT_PORTS

_KEEPS_METHOD = frozenset({301, 302, 307, 308})
"""Statuses after which the same request is sent. Django's APPEND_SLASH answers 301, before it carries out a request."""


def slash_redirect(status: int, url: str, location: str | None) -> str | None:
    """
    Return the URL to send the same request to, if a redirect only adds or drops the trailing slash of *url*.

    Any other redirect could carry the key to another host, or a write to another resource, so it is not followed.

    Example:
        >>> slash_redirect(301, "https://api.test/user?page=2", "/user/?page=2")
        'https://api.test/user/?page=2'

    Args:
        status: The status of the answer.
        url: Where the request was sent.
        location: The ``Location`` header.

    Returns:
        The URL with the query of *url*; None if the redirect must not be followed.
    """
    if status not in _KEEPS_METHOD or not location:
        return None
    try:
        asked, target = urlsplit(url), urlsplit(urljoin(url, location))
        is_same_origin = _origin(asked) == _origin(target)
    except ValueError:
        return None
    if not is_same_origin or target.username or target.password or target.query not in {"", asked.query}:
        return None
    path = f"{asked.path}/" if not asked.path.endswith("/") else asked.path[:-1]
    return asked._replace(path=path).geturl() if target.path == path else None


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, DEFAULT_PORTS.get(url.scheme) if url.port is None else url.port
