"""The Python blocks of docs/pointclouds.md print what they say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from doc_pages import blocks_of

ROOT = Path(__file__).parents[1]
COMMENT = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)


def test_pointclouds(run_page, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "pointclouds")
    from drive_folders import write_odometry  # noqa: PLC0415

    write_odometry(tmp_path / "drive")
    printed = run_page("docs/pointclouds.md")
    sys.modules.pop("drive_folders")

    promised = [COMMENT.findall(block) for block in blocks_of("docs/pointclouds.md")]
    assert len(promised) == 6
    assert printed == promised
