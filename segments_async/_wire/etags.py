"""Entity tags: names of content, as RFC 9110 has them in section 8.8.3."""

from __future__ import annotations

import re

_strong = re.compile(r'"[!#-~]*"').fullmatch


def strong_etag(text: object) -> str | None:
    """
    Take an ``ETag`` if it is one that tells bytes apart, as one needs who asks for the rest of them.

    Example:
        >>> strong_etag('"5d41402a"'), strong_etag('W/"5d41402a"')
        ('"5d41402a"', None)
    """
    return text if isinstance(text, str) and _strong(text) else None
