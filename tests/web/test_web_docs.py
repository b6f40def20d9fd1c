"""The Python blocks of the pages run as they stand: one after another, and those that are tests under pytest."""

import pytest

pytest_plugins = ["pytester"]

PAGES = ["fastapi.md", "webhooks.md", "testing.md"]


@pytest.mark.parametrize("page", PAGES)
def test_page(page, guides, monkeypatch):
    monkeypatch.setenv("SEGMENTS_WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    assert len(guides.blocks(page)) >= 5
    guides.run(page)


def test_the_tests_of_testing(guides, run_pytest):
    """Each as a file of its own, as it says; under the plugin of anyio on both loops."""
    outcomes, output = run_pytest(
        {block.splitlines()[0][2:]: block for block in guides.blocks("testing.md") if block[0] == "#"}
    )

    assert outcomes == {"passed": 2 * 5 + 2}, output
