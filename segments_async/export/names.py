"""Names of exported files: how a sample's name becomes a path."""

from __future__ import annotations

import hashlib
import os
import re
from posixpath import splitext

MAX_NAME_BYTES = 180
"""Maximum bytes of a part of a sample's name. File systems allow 255; the rest is for suffixes."""
_MAX_FILE_BYTES = 240
_UNSAFE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]" if os.name == "posix" else '[\x00-\x1f\x7f\ud800-\udfff<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def safe_path(name: str) -> str:
    """
    Convert a name to a relative path that cannot point outside the folder it is joined to.

    Example:
        >>> safe_path("../../etc/passwd")
        'etc/passwd'
    """
    parts = [safe_part(part) for part in name.replace("\\", "/").split("/") if part.strip(" .")]
    return "/".join(parts) or "_"


def safe_part(part: str) -> str:
    """Convert one part of a path; a long one is cut, and ends in a digest."""
    safe = _UNSAFE.sub("_", part)
    if os.name != "posix":
        safe = safe.rstrip(" .") or "_"
        safe = f"_{safe}" if _RESERVED.match(safe) else safe
    return _cut(safe, part, MAX_NAME_BYTES)


def label_path(stem: str, suffix: str) -> str:
    """Return the path of a label's file; a long name is cut, so that a file system allows it."""
    folder, slash, name = (stem + suffix).rpartition("/")
    base, extension = splitext(name)
    return f"{folder}{slash}{_cut(base, base, _MAX_FILE_BYTES - len(extension))}{extension}"


def _cut(text: str, whole: str, limit: int) -> str:
    if len(text.encode()) <= limit:
        return text
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text.encode()[: limit - 17].decode('utf-8', 'ignore')}-{digest}"
