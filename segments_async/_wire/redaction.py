"""The API key, kept out of what is shown."""

from __future__ import annotations

import httpx

from segments_async._wire.replies import Reply

MIN_REDACTED_KEY = 8
"""A shorter key is a word of a test; blotting it out would only make errors unreadable."""


class KeyRedactor:
    """The API key, kept out of reprs and out of what the service echoes."""

    def __init__(self, key: str) -> None:
        self._text = key if len(key) >= MIN_REDACTED_KEY else None

    def redact(self, reply: Reply) -> Reply:
        """The same answer with the key blotted out; itself if it does not hold the key."""
        if self._text is None:
            return reply
        key = self._text.encode()
        if key not in reply.content and not any(self._text in value for value in reply.headers.values()):
            return reply
        headers = httpx.Headers({name: value.replace(self._text, "***") for name, value in reply.headers.items()})
        return Reply(reply.status, reply.method, reply.url, headers, reply.content.replace(key, b"***"))
