"""Bulk runs: any number of items, one outcome for each."""

from segments_async.bulk.engine import BulkStream
from segments_async.bulk.options import BulkOptions, BulkSettings
from segments_async.bulk.report import BulkReport, Outcome, Progress

__all__ = ["BulkOptions", "BulkReport", "BulkSettings", "BulkStream", "Outcome", "Progress"]
