from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from segments_async._wire.replies import request_id_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async._wire.redaction import KeyRedactor


@define(eq=False)
class CallStats:
    """Counts and IDs of one operation, collected for progress and reports."""

    bulk: bool = False
    """Whether the operation belongs to a bulk run and so retries up to `bulk_attempts` times."""
    calls: int = 0
    attempts: int = 0
    """Requests sent; those beyond `calls` are retries."""
    throttles: int = 0
    bytes_sent: int = 0
    """Bytes of request bodies on the wire, for requests that got a response."""
    deleted: int = 0
    """The number of items that a bulk deletion reported as deleted."""
    _headers: Mapping[str, str] | None = field(default=None, repr=False)
    _redactor: KeyRedactor | None = None
    """Removes the key from the request id, which is not read yet; None if it is."""
    _request_id: str | None = None

    def record_reply(self, headers: Mapping[str, str], redactor: KeyRedactor) -> None:
        """Store the headers of the last response. They are read on demand, because few calls need them."""
        self._headers = headers
        self._redactor = redactor

    @property
    def request_id(self) -> str | None:
        """The request id of the last response, without secrets; read once, for all items of a batch."""
        if self._headers is not None and self._redactor is not None:
            self._request_id = self._redactor.redact_text(request_id_in(self._headers))
            self._redactor = None
        return self._request_id

    @property
    def date(self) -> str | None:
        """The ``Date`` of the last response."""
        return None if self._headers is None else self._headers.get("date")
