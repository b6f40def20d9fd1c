from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from segments_async._wire.replies import Reply


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
    request_id: str | None = None
    date: str | None = None
    """The ``Date`` of the last response."""
    deleted: int = 0
    """The number of items that a bulk deletion reported as deleted."""

    def record_reply(self, reply: Reply, *, request_id: str | None) -> None:
        """Store the request id, without secrets, and the date of a response."""
        self.request_id = request_id
        self.date = reply.headers.get("date", self.date)
