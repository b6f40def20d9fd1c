"""The Python blocks of the pages run as they stand: one after another, and those that are tests under pytest."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ["fastapi.md", "webhooks.md", "testing.md"]


def blocks(page):
    found = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    assert len(found) >= 5
    return found


@pytest.mark.parametrize("page", PAGES)
def test_page(page, sandbox, monkeypatch, tmp_path):
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("SEGMENTS_WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for number, block in enumerate(blocks(page)):
        if not block.startswith("# test_"):
            exec(compile(block, f"{page}, block {number}", "exec"), names)


def test_the_tests_of_testing(run_pytest):
    """Each as a file of its own, as it says; under the plugin of anyio on both loops."""
    outcomes, output = run_pytest(
        {block.splitlines()[0][2:]: block for block in blocks("testing.md") if block[0] == "#"}
    )

    assert outcomes == {"passed": 2 * 5 + 2}, output
