"""The README's Python blocks run as they stand, against the sandbox."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_there_is_something_to_run():
    """The pattern above still finds the blocks."""
    assert len(BLOCKS) >= 4
    assert "AsyncSegments()" in BLOCKS[0]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_readme_block(number, sandbox, monkeypatch, tmp_path):
    """A reader who copies this block sees no error."""
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    monkeypatch.chdir(tmp_path)
    source = f"{README.name}, Python block {number}"

    exec(compile(BLOCKS[number], source, "exec"), {"__name__": "__main__"})
