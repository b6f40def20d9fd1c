"""Ask the real service what this package assumes about it."""

from __future__ import annotations

from segments_async._check.facts import CheckReport, Fact
from segments_async._check.run import check

__all__ = ["CheckReport", "Fact", "check"]
