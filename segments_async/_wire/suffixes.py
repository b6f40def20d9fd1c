"""Which ends of a name are suffixes: those of known kinds of files; anything else behind a dot belongs to the name."""

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
_POINT_CLOUDS = frozenset(
    {".bag", ".bin", ".e57", ".las", ".laz", ".mcap", ".obj", ".pcd", ".ply", ".pts", ".ptx", ".splat", ".xyz"}
)
_DATA = frozenset(
    {".arrow", ".csv", ".db", ".geojson", ".h5", ".hdf5", ".html", ".json", ".jsonl", ".md", ".npy", ".npz", ".onnx"}
    | {".parquet", ".pdf", ".pt", ".pth", ".svg", ".toml", ".tsv", ".txt", ".xml", ".yaml", ".yml"}
)
_PICTURES_OF_INSTRUMENTS = frozenset({".dcm", ".dicom", ".exr", ".fits", ".hdr", ".mha", ".mhd", ".nii", ".nrrd"})
_RAW_PICTURES = frozenset({".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raw", ".rw2"})
_ARCHIVES = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})
_FILES = _KNOWN | _POINT_CLOUDS | _DATA | _PICTURES_OF_INSTRUMENTS | _RAW_PICTURES | _ARCHIVES
_MEDIA_TYPES: dict[str, tuple[str, ...]] = {
    "application/json": (".json", ".geojson"),
    "application/pdf": (".pdf",),
    "application/zip": (".zip", ".npz"),
    "image/avif": SUFFIXES["AVIF"],
    "image/bmp": SUFFIXES["BMP"],
    "image/gif": SUFFIXES["GIF"],
    "image/heic": SUFFIXES["HEIF"],
    "image/heif": (".heif", ".heic", ".hif"),
    "image/jp2": SUFFIXES["JPEG2000"],
    "image/jpeg": SUFFIXES["JPEG"],
    "image/jpg": SUFFIXES["JPEG"],
    "image/png": SUFFIXES["PNG"],
    "image/svg+xml": (".svg",),
    "image/tiff": (*SUFFIXES["TIFF"], ".dng"),
    "image/webp": SUFFIXES["WEBP"],
    "video/mp4": (".mp4", ".m4v"),
    "video/quicktime": (".mov",),
    "video/webm": (".webm",),
}
"""The suffixes of media types; not of those that hosts send for whatever they do not know, such as ``text/plain``."""


def split_suffix(name: str) -> tuple[str, str]:
    """
    Split off a known suffix; anything else behind a dot belongs to the name.

    Example:
        >>> split_suffix("meadow/rose.JPG"), split_suffix("scan_0.25")
        (('meadow/rose', '.JPG'), ('scan_0.25', ''))
    """
    stem, suffix = splitext(name)
    return (stem, suffix) if suffix.lower() in _KNOWN else (name, "")


def split_file_suffix(name: str) -> tuple[str, str]:
    """
    Split off a known suffix of any kind of file, as `split_suffix` does for those of images and videos.

    Example:
        >>> split_file_suffix("scan.pcd"), split_file_suffix("scan_0.25")
        (('scan', '.pcd'), ('scan_0.25', ''))
    """
    stem, suffix = splitext(name)
    return (stem, suffix) if suffix.lower() in _FILES else (name, "")


def is_point_cloud(name: str) -> bool:
    """Return whether a file's name has the suffix of point clouds."""
    return splitext(name)[1].lower() in _POINT_CLOUDS


def file_suffix(in_url: str, in_name: str, media_type: str = "") -> str:
    """Return the suffix of a file: that in its URL, else that in its name unless it does not fit the media type."""
    if in_url:
        return in_url
    fitting = _fitting(media_type)
    return in_name if fitting is None or in_name.lower() in fitting else fitting[0]


def suffix_fits(name: str, media_type: str) -> bool:
    """Return whether a file's suffix is one of its media type, or nothing is known about that type."""
    fitting = _fitting(media_type)
    return fitting is None or splitext(name)[1].lower() in fitting


def _fitting(media_type: str) -> tuple[str, ...] | None:
    return _MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())


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
