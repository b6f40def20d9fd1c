"""One page of a list, and the function that fetches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from attrs import field, frozen

from segments_async._serialization.converter import structure_answer
from segments_async.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Fetch = Callable[[int, int | None], Awaitable["Page[T] | None"]]

T = TypeVar("T")


@frozen
class Page(Generic[T]):
    """One page of a list."""

    rows: list[T]
    received: int
    """Number of rows that the service sent, including skipped ones."""
    skipped: Sequence[DecodeError] = field(default=())
    may_be_cut: bool = False
    """Whether the list may continue although the page is shorter than requested."""

    def repeats(self, previous: Page[T]) -> bool:
        """Return whether this page has the rows of the one before; rows of a list differ, so few are compared."""
        return bool(self.received) and (
            self.rows == previous.rows
            and [error.payload for error in self.skipped] == [error.payload for error in previous.skipped]
        )

    @classmethod
    def row_by_row(cls, error: DecodeError, model: type[T], *, page: int, first: int, skip: bool) -> Self:
        """
        Structure a page row by row, after structuring it as a whole has failed.

        Args:
            error: The error of structuring the whole page.
            model: The type of a row.
            page: The page's number.
            first: The index of its first row in the whole list.
            skip: Whether to skip invalid rows.

        Raises:
            DecodeError: The page is not a list; or, unless *skip*, a row is invalid.
        """
        if not isinstance(error.payload, list):
            raise error
        payload: list[Any] = error.payload
        rows: list[T] = []
        skipped: list[DecodeError] = []
        for index, row in enumerate(payload):
            try:
                rows.append(structure_answer(row, model))
            except DecodeError as mismatch:
                located = _with_location(mismatch, index, error, page=page, row=first + index)
                if not skip:
                    raise located from None
                skipped.append(located)
        return cls(rows, len(payload), skipped)


def _with_location(mismatch: DecodeError, index: int, error: DecodeError, *, page: int, row: int) -> DecodeError:
    """Add the position of the row, and the call of *error*, to the error of one row."""
    separator = "" if not mismatch.path or mismatch.path.startswith("[") else "."
    return DecodeError(
        mismatch.problem,
        path=f"[{index}]{separator}{mismatch.path}",
        payload=mismatch.payload,
        status=error.status,
        method=error.method,
        url=error.url,
        request_id=error.request_id,
        page=page,
        row=row,
    )
