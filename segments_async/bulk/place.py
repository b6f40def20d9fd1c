"""Why a checkpoint file cannot be used: SQLite says only "disk I/O error" or "unable to open database file"."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def problem_of_place(path: Path) -> str | None:
    """Return why a database cannot be written at *path*, if its folder or its permissions say so."""
    folder = path.parent
    if not folder.is_dir():
        return "cannot be created: its folder does not exist"
    if not _may(folder, os.W_OK | os.X_OK):
        return "cannot be written: its folder is read-only, and SQLite keeps another file there"
    if not path.exists():
        return None
    if not _may(path, os.R_OK):
        return "cannot be read: permission denied"
    return None if _may(path, os.W_OK) else "cannot be written: it is read-only"


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
