"""What all operations on the service share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from segments_async.bulk.operation import Operation

if TYPE_CHECKING:
    from segments_async._session import Session

T = TypeVar("T")


class ServiceOperation(Operation[T]):
    """An operation whose requests go through a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.service = session.pool.base_url

    def limit(self) -> int:
        """Requests that the gate lets through at once now."""
        return self._session.limit
