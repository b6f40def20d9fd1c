"""Keep the API key out of errors and logs."""

from __future__ import annotations

import httpx

from segments_async._wire.replies import Reply

MIN_REDACTED_KEY = 8
"""A shorter key is a word from a test; replacing it would only make errors unreadable."""


class KeyRedactor:
    """Replace the API key in responses that echo it. Its repr does not show the key."""

    def __init__(self, key: str) -> None:
        self._key = key if len(key) >= MIN_REDACTED_KEY else None

    def redact_text(self, text: str | None) -> str | None:
        """Return *text* with the key replaced by ``***``."""
        return text if text is None or self._key is None else text.replace(self._key, "***")

    def redact(self, reply: Reply) -> Reply:
        """Return *reply* with the key replaced by ``***``, or *reply* itself if it does not contain the key."""
        if self._key is None:
            return reply
        key = self._key.encode()
        if key not in reply.content and not any(self._key in value for value in reply.headers.values()):
            return reply
        headers = httpx.Headers({name: value.replace(self._key, "***") for name, value in reply.headers.items()})
        return Reply(reply.status, reply.method, reply.url, headers, reply.content.replace(key, b"***"))
