"""What a check of the service has found."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
from attrs import Factory, define, frozen

from segments_async._counting import counted

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from datetime import datetime

FactStatus = Literal["ok", "DIFF", "note"]


@frozen(kw_only=True)
class Fact:
    """
    One fact about the service.

    Example:
        >>> fact = Fact(name="page-limit", question="rows for per_page=1000", status="note", found="130 of 130")
        >>> print(fact)
        note  page-limit: rows for per_page=1000: 130 of 130
    """

    name: str
    """Stays the same in later versions, so that reports can be compared."""
    question: str
    """What was asked."""
    status: FactStatus
    """``"ok"``: as this package assumes; ``"DIFF"``: otherwise; ``"note"``: nothing is assumed, or it was not asked."""
    found: str
    """What the service answered."""
    expected: str | None = None
    """What ``docs/service.md`` says."""
    handled: bool | None = None
    """For a ``"DIFF"``: whether the client works with this form too."""
    request_id: str | None = None
    """The request to quote to the support of the service."""

    def __str__(self) -> str:
        line = f"{self.status:4}  {self.name}: {self.question}: {self.found}"
        if self.status != "DIFF":
            return line
        works = "; the client works with both" if self.handled else ""
        return f"{line} (expected: {self.expected}{works})"


@define(kw_only=True)
class CheckReport:
    """
    The facts that a check has found, without the key, the user's name and the names of datasets.

    Example::

        report = await check()
        for fact in report.differences:
            print(fact)
        report.save("segments-check.json")
    """

    base_url: str
    """The URL of the service that was asked."""
    version: str
    """The version of this package."""
    started_at: datetime
    """When the check began, in UTC."""
    facts: list[Fact] = Factory(list)
    """The facts, in the order in which they were found."""
    requests: int = 0
    """Requests sent, including those to storage and those that were repeated."""
    left_behind: str | None = None
    """The dataset that could not be deleted, as ``"owner/name"``; not part of the saved report."""

    @property
    def differences(self) -> list[Fact]:
        """The facts that are not as this package assumes."""
        return [fact for fact in self.facts if fact.status == "DIFF"]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many facts have each status."""
        return Counter(fact.status for fact in self.facts)

    def summary(self) -> str:
        """Return one line with the counts."""
        counts = self.counts
        handled = sum(fact.handled is True for fact in self.differences)
        differences = f"{counts['DIFF']} DIFF" + (f" ({handled} of them handled)" if handled else "")
        notes, requests = counted(counts["note"], "note"), counted(self.requests, "request")
        return f"{counts['ok']} ok, {differences}, {notes}; {requests} to {self.base_url}"

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON, to be attached to a bug report."""
        return {
            "version": self.version,
            "base_url": self.base_url,
            "started_at": self.started_at.isoformat(),
            "requests": self.requests,
            "facts": [attrs.asdict(fact) for fact in self.facts],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the report as a JSON file.

        Args:
            path: Where to write; a file that exists is replaced.
        """
        Path(path).write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
