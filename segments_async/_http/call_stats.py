from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from segments_async._wire.replies import Reply


@define(eq=False)
class CallStats:
    """Counts and ids of one call, collected for progress and reports while it is made."""

    bulk: bool = False
    """Whether the call belongs to a bulk run, and so has `bulk_attempts`."""
    calls: int = 0
    attempts: int = 0
    """Requests that were sent; beyond `calls`, they are repeats."""
    throttles: int = 0
    bytes_sent: int = 0
    """Bytes of request bodies, as they went over the wire, that were answered."""
    request_id: str | None = None
    date: str | None = None
    """The last answer's ``Date``."""
    deleted: int = 0
    """What a deletion of several things said how many it found."""

    def record_reply(self, reply: Reply) -> None:
        """Remember the request id and the date of an answer."""
        self.request_id = reply.request_id
        self.date = reply.headers.get("date", self.date)
