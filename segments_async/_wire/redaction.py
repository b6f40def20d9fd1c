"""Keep the API key out of errors and logs."""

from __future__ import annotations

from threading import Lock
from weakref import WeakSet

import httpx

from segments_async._wire.replies import Reply

MIN_REDACTED_KEY = 8
"""A shorter key is a word from a test; replacing it would only make errors unreadable."""

_redactors: WeakSet[KeyRedactor] = WeakSet()
_lock = Lock()  # logs are written, and clients created, in several threads


def redact_keys(text: str) -> str:
    """Return *text* with the keys of all clients of this process replaced by ``***``."""
    with _lock:
        redactors = list(_redactors)
    for redactor in redactors:
        text = redactor.redact_text(text) or ""
    return text


class KeyRedactor:
    """Replace the API key in responses that echo it. Its repr does not show the key."""

    def __init__(self, key: str) -> None:
        self._key = key if len(key) >= MIN_REDACTED_KEY else None
        with _lock:
            _redactors.add(self)

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
