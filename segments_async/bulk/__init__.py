"""Bulk runs: process any number of items, and report one outcome for each."""

from segments_async.bulk.engine import BulkStream
from segments_async.bulk.options import BulkOptions, BulkSettings
from segments_async.bulk.redis_checkpoint import RedisCheckpoint
from segments_async.bulk.report import BulkError, BulkReport, Outcome, Progress

__all__ = [
    "BulkError",
    "BulkOptions",
    "BulkReport",
    "BulkSettings",
    "BulkStream",
    "Outcome",
    "Progress",
    "RedisCheckpoint",
]
