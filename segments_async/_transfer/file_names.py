"""Names for downloaded files: stable when the URL is signed again, unique, and safe on any file system."""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from segments_async._wire.suffixes import file_suffix, split_file_suffix

STEM_BYTES = 120
"""Maximum bytes of a stem. File systems allow 255; the digest, the extension and a temporary name need the rest."""

_SIGNING_KEY = re.compile(r"x-(amz|goog|oss)-.+", re.IGNORECASE)
_KEYS_BY_SIGNATURE = {
    "signature": frozenset(
        {"signature", "expires", "awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "key-pair-id", "policy"}
    ),
    "sig": frozenset({"sig", "se", "sp", "sv", "sr", "st", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks", "skv"}),
}
"""Query parameters of older signatures: Amazon S3, CloudFront and Google (``signature``), and Azure (``sig``)."""
_unsafe = re.compile(r"[^\w.\- ]+")
_is_plain = re.compile(r"https?://[\w.:-]+/[\w.~/-]*", re.ASCII).fullmatch
"""Whether a URL has only a host and a path without escapes, so that nothing is to be parsed."""


def content_address(url: str) -> str:
    """
    Return a file's URL without its signature, so that it stays the same when the URL is signed again.

    Example:
        >>> content_address("https://s3.test/a.png?X-Amz-Date=20261124&X-Amz-Signature=1f&versionId=3")
        'https://s3.test/a.png?versionId=3'
    """
    if _is_plain(url):
        return url
    parts = _split(url)
    if not parts.query:
        return parts._replace(fragment="").geturl()
    query = parts.query.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")  # keeps what is not UTF-8
    names = {name.lower() for name, _ in pairs}
    signing = frozenset().union(*(keys for name, keys in _KEYS_BY_SIGNATURE.items() if name in names))
    kept = [(name, value) for name, value in pairs if name.lower() not in signing and not _SIGNING_KEY.fullmatch(name)]
    return parts._replace(query=urlencode(kept, errors="surrogateescape"), fragment="").geturl()


def address_digest(url: str) -> str:
    """Return a digest of the content address, as 16 hexadecimal digits."""
    return sha256(content_address(url).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def file_name(url: str, name: str | None = None, digest: str | None = None, media_type: str = "") -> str:
    """
    Return a file name for *url*: readable, unique, and without path separators.

    Example:
        >>> file_name("https://s3.test/4f1e.JPG?X-Amz-Signature=1f", "../../etc/passwd")
        'etc_passwd-93677730015806c6.jpg'

    Args:
        url: The URL of the file.
        name: A name for the stem; by default the last part of *url*.
        digest: The `address_digest` of *url*, if it is known.
        media_type: The media type of the file, which decides the suffix if *url* has none.
    """
    path = url if _is_plain(url) else _split(url).path
    last_stem, last_suffix = split_file_suffix(unquote(path.rpartition("/")[2]))
    stem, suffix = (last_stem, "") if name is None else split_file_suffix(name)
    extension = file_suffix(last_suffix, suffix, media_type).lower()
    stem = _unsafe.sub("_", stem.encode("utf-8", "replace").decode()).strip("._ ")
    stem = stem.encode()[:STEM_BYTES].decode(errors="ignore")
    return f"{stem or 'file'}-{digest or address_digest(url)}{extension}"


def digest_in(file_name: str) -> str | None:
    """Return the digest in a name that `file_name` returned; None for other names and for hidden files."""
    match = re.fullmatch(r"[^.].*-([0-9a-f]{16})(\.[a-z0-9]{1,8})?", file_name)
    return None if match is None else match[1]


def _split(url: str) -> SplitResult:
    """Split a URL; an invalid one is treated as a path, so that it has a name and fails only when it is requested."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", url, "", "")
