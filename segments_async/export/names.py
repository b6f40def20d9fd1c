"""Names of exported files: which suffixes are known, and how a sample's name becomes a path."""

from __future__ import annotations

import hashlib
import os
import re
from posixpath import splitext
from urllib.parse import unquote, urlsplit

MAX_NAME_BYTES = 180
"""Maximum bytes of a part of a sample's name. File systems allow 255; the rest is for suffixes."""
_MAX_FILE_BYTES = 240
_UNSAFE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]" if os.name == "posix" else '[\x00-\x1f\x7f\ud800-\udfff<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)

SUFFIXES: dict[str, tuple[str, ...]] = {
    "AVIF": (".avif", ".avifs"),
    "BMP": (".bmp", ".dib"),
    "DDS": (".dds",),
    "DIB": (".dib", ".bmp"),
    "GIF": (".gif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "ICNS": (".icns",),
    "ICO": (".ico",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "PCX": (".pcx",),
    "PNG": (".png", ".apng"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".bw", ".rgba"),
    "TGA": (".tga",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""The suffixes of each of Pillow's formats; the first one is used if neither name nor URL has one."""
_IMAGES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
_VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
"""Suffixes of sequences."""
_KNOWN = _IMAGES | _VIDEOS


def split_suffix(name: str) -> tuple[str, str]:
    """
    Split off a known suffix; anything else behind a dot belongs to the name.

    Example:
        >>> split_suffix("meadow/rose.JPG"), split_suffix("scan_0.25")
        (('meadow/rose', '.JPG'), ('scan_0.25', ''))
    """
    stem, suffix = splitext(name)
    return (stem, suffix) if suffix.lower() in _KNOWN else (name, "")


def url_suffix(url: object) -> str:
    """Return the known suffix of an image's URL; empty if it has none."""
    try:
        suffix = split_suffix(unquote(urlsplit(url).path))[1] if isinstance(url, str) else ""
    except ValueError:  # not a URL
        return ""
    return suffix if suffix.lower() in _IMAGES else ""


def image_suffix(image_format: str, *candidates: str) -> str:
    """Return the first of the *candidates* that is a suffix of a format (Pillow's name), or else its usual suffix."""
    known = SUFFIXES.get(image_format)
    if known is None:
        return next(filter(None, candidates), f".{image_format.lower()}")
    return next((suffix for suffix in candidates if suffix.lower() in known), known[0])


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
