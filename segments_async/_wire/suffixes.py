"""Which ends of a name are suffixes: those of images and videos; anything else behind a dot belongs to the name."""

from __future__ import annotations

from posixpath import splitext
from urllib.parse import unquote, urlsplit

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
