"""The Python blocks of the guide work as they stand, and print what they say."""

from __future__ import annotations

import re

import pytest
from doc_pages import blocks_of, on_sandbox, text_of

from segments_async import Label, Sample, TaskType

PAGES = (
    "index",
    "install",
    "quickstart",
    "datasets",
    "samples",
    "labels",
    "releases",
    "errors",
    "environment",
    "security",
    "migrating",
)
"""Pages whose blocks need no preparation; each of the others has a test of its own."""
PROMISE = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)


def test_tables_of_task_types():
    """Both have every task type, and the properties are those of samples and labels."""
    rows = [row.split(" | ") for row in text_of("docs/datasets.md").splitlines() if row.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`([a-z-]+)`", row[0])]
    assert sorted(listed) == sorted(2 * [task_type for task_type in TaskType if task_type])
    for _, of_sample, of_label in (row for row in rows if len(row) == 3):
        assert isinstance(getattr(Sample, of_sample.removeprefix("`sample.").strip("` |")), property)
        assert isinstance(getattr(Label, of_label.removeprefix("`label.").strip("` |")), property)


@pytest.mark.parametrize("page", PAGES)
def test_guide(page, run_page):
    """A comment after a `print` is what it prints."""
    name = f"docs/{page}.md"
    printed = run_page(name)

    for block, lines in zip(blocks_of(name), printed, strict=True):
        for promise in PROMISE.findall(block):
            for line in promise.split(", then "):
                assert on_sandbox(line) in map(on_sandbox, lines)
