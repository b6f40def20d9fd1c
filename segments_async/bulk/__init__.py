"""Bulk runs: process any number of items, and report one outcome for each."""

from segments_async.bulk.engine import BulkStream
from segments_async.bulk.options import BulkOptions, BulkSettings
from segments_async.bulk.outcomes import AnyOutcome, Failed, Outcome, Skipped, Succeeded, Unsent
from segments_async.bulk.redis_checkpoint import RedisCheckpoint
from segments_async.bulk.report import BulkError, BulkReport, Progress

__all__ = [
    "AnyOutcome",
    "BulkError",
    "BulkOptions",
    "BulkReport",
    "BulkSettings",
    "BulkStream",
    "Failed",
    "Outcome",
    "Progress",
    "RedisCheckpoint",
    "Skipped",
    "Succeeded",
    "Unsent",
]
