"""The page about bulk runs works as it stands."""

from __future__ import annotations


def test_page(guides):
    assert len(guides.run("bulk.md")) == 5
