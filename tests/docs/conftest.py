from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doc_pages import blocks_of, run_block

from segments_async.sandbox import Sandbox


@pytest.fixture
def _reader(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a reader who copies blocks: an empty folder, with the sandbox as the service."""
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_page(_reader: None, capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[list[str]]]:
    """``run_page("docs/bulk.md")``: run its blocks, except tests and those for a cluster; returns what each printed."""

    def run(page: str) -> list[list[str]]:
        names: dict[str, Any] = {"__name__": "__main__"}
        printed = []
        for number, block in enumerate(blocks_of(page)):
            if not block.startswith("# test_") and "segments_async.ray" not in block:
                run_block(page, number, names)
                printed.append(capsys.readouterr().out.splitlines())
        return printed

    return run
