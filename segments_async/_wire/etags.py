"""Entity tags (RFC 9110, 8.8.3)."""

from __future__ import annotations

import re

_strong = re.compile(r'"[!#-~]*"').fullmatch


def strong_etag(text: object) -> str | None:
    """
    Return an ``ETag`` if it is strong, as a resumed download requires; None if it is weak or malformed.

    Example:
        >>> strong_etag('"5d41402a"'), strong_etag('W/"5d41402a"')
        ('"5d41402a"', None)
    """
    return text if isinstance(text, str) and _strong(text) else None
