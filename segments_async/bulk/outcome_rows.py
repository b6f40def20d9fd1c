"""The row of an outcome in `BulkReport.to_arrow`."""

from __future__ import annotations

from typing import Any

from segments_async.errors import ApiError


def outcome_row(outcome: Any) -> dict[str, Any]:
    """Return the values of `OUTCOME_COLUMNS` for an `Outcome`."""
    error = outcome.error
    return {
        "index": outcome.index,
        "key": outcome.key,
        "uuid": outcome.uuid or None,
        "status": outcome.status,
        "succeeded": outcome.succeeded,
        "error_type": None if error is None else type(error).__name__,
        "error": None if error is None else str(error),
        "error_status": error.status if isinstance(error, ApiError) else None,
        "retryable": outcome.retryable,
        "attempts": outcome.attempts,
        "request_id": outcome.request_id,
    }
