"""What is promised of the package as a whole."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import segments_async
from segments_async import errors

ROOT = Path(__file__).parent.parent
HEAVY = ("aiohttp", "numpy", "PIL", "pydantic", "requests", "sklearn", "starlette", "trio", "uvicorn")


def test_all_is_sorted_and_complete():
    """Every public name is listed once, and nothing else."""
    public = {
        name for name, value in vars(segments_async).items() if not name.startswith("_") and not inspect.ismodule(value)
    }

    assert sorted(segments_async.__all__) == segments_async.__all__
    assert public | {"__version__"} == set(segments_async.__all__)


def test_every_error_is_exported():
    """Whoever may meet an error can name it."""
    classes = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}

    assert classes <= set(segments_async.__all__)


@pytest.mark.parametrize("name", segments_async.__all__)
def test_every_public_name_is_documented(name):
    """`help` says something about each class and function."""
    value = getattr(segments_async, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


def test_version_is_the_newest_in_the_changelog():
    """A release cannot forget one of the two."""
    headings = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert segments_async.__version__ == headings[0]


def test_import_is_light():
    """Extras, numpy and the other event loop are not loaded by the core."""
    code = "import sys, segments_async; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not set(HEAVY) & set(loaded)
