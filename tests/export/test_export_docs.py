"""The page about bitmaps and exports works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "bitmaps.md"


def test_page(sandbox, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    names = {"__name__": "__main__"}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)

    text = PAGE.read_text(encoding="utf-8")
    *promised, counts = capsys.readouterr().out.splitlines()
    assert len(promised) == 4
    assert all(f"# {line}" in text for line in promised)
    assert counts == "1 0 {} []"
