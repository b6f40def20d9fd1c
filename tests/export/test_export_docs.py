"""The page about bitmaps and exports works as it stands."""

from __future__ import annotations


def test_page(guides):
    printed = guides.run("bitmaps.md")

    text = guides.text("bitmaps.md")
    assert [len(lines) for lines in printed] == [0, 0, 2, 3]
    *promised, counts = printed[2] + printed[3]
    assert all(f"# {line}" in text for line in promised)
    assert counts == "1 0 {} []"
