from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doc_pages import blocks_of, on_sandbox, run_block

from docs_build.blocks import FILE
from segments_async.sandbox import Sandbox

ELSEWHERE = ("segments_async.ray", "from arq", "from distributed", "import get_context")
"""In blocks that start processes, which tests/cluster and test_scale_page.py run."""


@pytest.fixture
def _reader(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a reader who copies blocks: an empty folder, with the sandbox as the service."""
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _files(_reader: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Write the blocks that begin with the name of a file, so that others can import them."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(page: str) -> None:
        for block in blocks_of(page):
            if (found := FILE.match(block)) and not block.startswith("# test_"):
                (tmp_path / found[1]).write_text(on_sandbox(block), encoding="utf-8")

    yield write
    for name in {path.stem for path in tmp_path.glob("*.py")} - before:
        sys.modules.pop(name, None)


@pytest.fixture
def run_page(_files: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[list[str]]]:
    """``run_page("docs/bulk.md")``: run its blocks, except tests and `ELSEWHERE`; returns what each printed."""

    def run(page: str) -> list[list[str]]:
        _files(page)
        names: dict[str, Any] = {"__name__": "__main__"}
        printed = []
        for number, block in enumerate(blocks_of(page)):
            if not block.startswith("# test_") and not any(words in block for words in ELSEWHERE):
                run_block(page, number, names)
                printed.append(capsys.readouterr().out.splitlines())
        return printed

    return run
