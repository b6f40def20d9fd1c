"""Reports in notebooks."""

from __future__ import annotations

from html.parser import HTMLParser

from segments_async import BulkReport, OutcomeUnknownError, ValidationError
from segments_async.bulk.html_report import MAX_ROWS
from segments_async.bulk.outcomes import outcome_of
from segments_async.imports import ImportReport
from segments_async.models import Dataset


class Cells(HTMLParser):
    """The texts of a document, and a check that each tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.tags = [], [], set()
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def report_of(*errors):
    report = BulkReport()
    for index, error in enumerate(errors):
        status = "created" if error is None else "unknown" if isinstance(error, OutcomeUnknownError) else "failed"
        report.add(outcome_of(status, index=index, key=f"<i>{index}", item=None, uuid="u", error=error))
    report.elapsed = 1.25
    return report


def test_counts_and_errors():
    """Counts by status, unknown apart, and each group of errors with names; nothing of it is markup."""
    refused = ValidationError(400, "PUT", "https://x/", "no <script>alert(1)</script>")
    cells = Cells(report_of(None, refused, refused, OutcomeUnknownError("lost"))._repr_html_())
    assert cells.texts[0] == "4 items: 1 created, 2 failed, 1 unknown, in 1.2 s"
    assert "<i>1, <i>2" in cells.texts
    assert any("<script>" in text for text in cells.texts)
    assert cells.tags == {"p", "b", "table", "thead", "tbody", "tr", "th", "td"}


def test_many_groups():
    """A report of any length stays readable."""
    errors = [ValidationError(400, "PUT", "https://x/", f"problem {chr(97 + n)}") for n in range(26)]
    cells = Cells(report_of(*errors)._repr_html_())
    assert f"and {26 - MAX_ROWS} more" in cells.texts


def test_empty():
    assert Cells(BulkReport()._repr_html_()).texts[0] == "0 items: none, in 0.0 s"


def test_import():
    """Images, labels, and what was left out."""
    report = ImportReport(dataset=Dataset(name="flowers"), samples=report_of(None), labels=report_of(None, None))
    report.left_out["<b> polygons"] = 1234
    texts = Cells(report._repr_html_()).texts
    assert "1 item: 1 created, in 1.2 s" in texts
    assert "2 items: 2 created, in 1.2 s" in texts
    assert texts[texts.index("1,234") + 1] == "<b> polygons"
