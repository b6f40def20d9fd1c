"""The Python blocks of the README and of the pages in ``docs/`` work as they stand."""

from __future__ import annotations

import pytest
from doc_pages import blocks_of, on_sandbox, run_block, text_of

from segments_async.bulk import RedisCheckpoint
from segments_async.fastapi import QueueBackend
from segments_async.limits import RedisLimiter
from segments_async.tables import LABEL_COLUMNS, OUTCOME_COLUMNS, SAMPLE_COLUMNS

pytest_plugins = ["pytester"]

README = "README.md"


def test_readme_has_blocks():
    """The pattern that finds blocks still does."""
    assert len(blocks_of(README)) >= 4
    assert "AsyncSegments()" in blocks_of(README)[0]


@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize("number", range(len(blocks_of(README))))
def test_readme_block(number):
    """A reader who copies this block alone sees no error."""
    if "segments_async.ray" in blocks_of(README)[number]:
        pytest.skip("tests/cluster runs it on a cluster")
    run_block(README, number, {"__name__": "__main__"})


def test_bulk(run_page):
    printed = run_page("docs/bulk.md")
    assert len(printed) == 9
    assert printed[2] == [
        "iris.jpg https://example.com/iris.jpg",
        "1 samples[1].attributes: missing",
        "['iris.jpg']",
    ]
    message, place = printed[3]
    assert f"print(error)  # {message}\n" in text_of("docs/bulk.md")
    assert place.startswith("['raised in attributes (")


def test_bitmaps(run_page):
    printed = run_page("docs/bitmaps.md")

    text = on_sandbox(text_of("docs/bitmaps.md"))
    assert [len(lines) for lines in printed] == [0, 0, 2, 3]
    *promised, counts = printed[2] + printed[3]
    assert all(f"# {line}" in text for line in promised)
    assert counts == "1 0 {} []"


def test_import(run_page):
    printed = run_page("docs/import.md")

    text = text_of("docs/import.md")
    assert "\n".join(printed[0]) in text
    assert "\n".join(printed[1]) in text
    assert "\n".join(printed[2]) in text
    assert "\n".join(printed[3]) in text
    assert printed[5] == [
        "[{'id': 1, 'category_id': 1, 'type': 'bbox', 'points': [[1.0, 2.0], [30.0, 40.0]]}]",
        "line 3 (rose.jpg): box[2]: expected a number, got ''",
    ]


def test_tables(run_page):
    printed = run_page("docs/tables.md")

    assert printed[:2] == [["2 items: 2 created"], ["2 items: 2 done"]]
    assert sorted(" ".join(line.split()[:2]) for line in printed[2]) == ["a.jpg rose", "a.jpg tulip", "b.jpg tulip"]
    text = text_of("docs/tables.md")
    for column in (*SAMPLE_COLUMNS, *LABEL_COLUMNS, *OUTCOME_COLUMNS):
        assert f"| `{column.name}` | " in text
        assert f" | {column.meaning} |\n" in text


@pytest.mark.parametrize("page", ["fastapi.md", "webhooks.md", "testing.md"])
def test_web(page, run_page, monkeypatch):
    monkeypatch.setenv("SEGMENTS_WEBHOOK_SECRET", "whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM")
    assert len(blocks_of(f"docs/{page}")) >= 5
    run_page(f"docs/{page}")


def test_blocks_that_are_tests(run_pytest):
    """Each passes as a file of its own; with anyio's plugin on both event loops."""
    blocks = [block for block in blocks_of("docs/testing.md") if block[0] == "#"]
    outcomes, output = run_pytest({block.splitlines()[0].removeprefix("# "): block for block in blocks})

    assert outcomes == {"passed": 2 * 6 + 3}, output


def test_scale(run_page, redis_url, monkeypatch):
    """With a Redis of the test's own."""
    for made in (RedisLimiter, RedisCheckpoint, QueueBackend):
        real = made.__init__
        monkeypatch.setattr(
            made, "__init__", lambda self, _, *rest, real=real, **more: real(self, redis_url, *rest, **more)
        )

    printed = run_page("docs/scale.md")
    assert printed == [["sandbox"], ["{'created': 100} {'skipped': 100}"], [], ["done"], [], ["sandbox"]]
