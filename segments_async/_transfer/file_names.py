"""What a file is called, whoever signs its address and whatever its sample is called."""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

STEM_BYTES = 120
"""File systems take 255 bytes; the digest, the ending and a temporary name need some."""

_SIGNED = re.compile(r"x-(amz|goog|oss)-.+", re.IGNORECASE)
_KEYS_BY_SIGNATURE = {
    "signature": frozenset(
        {"signature", "expires", "awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "key-pair-id", "policy"}
    ),
    "sig": frozenset({"sig", "se", "sp", "sv", "sr", "st", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks", "skv"}),
}
"""Amazon's older way, CloudFront and Google; Azure."""
_unsafe = re.compile(r"[^\w.\- ]+")
_ending = re.compile(r"\.[A-Za-z0-9]{1,8}$")


def content_address(url: str) -> str:
    """
    The address of a file without what signs it, so that it stays the same when it is signed anew.

    Example:
        >>> content_address("https://s3.test/a.png?X-Amz-Date=20261124&X-Amz-Signature=1f&versionId=3")
        'https://s3.test/a.png?versionId=3'
    """
    parts = _split(url)
    if not parts.query:
        return parts._replace(fragment="").geturl()
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    names = {name.lower() for name, _ in pairs}
    signing = frozenset().union(*(keys for name, keys in _KEYS_BY_SIGNATURE.items() if name in names))
    kept = [(name, value) for name, value in pairs if name.lower() not in signing and not _SIGNED.fullmatch(name)]
    return parts._replace(query=urlencode(kept), fragment="").geturl()


def address_digest(url: str) -> str:
    """Name a content address in 16 letters."""
    return sha256(content_address(url).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def file_name(url: str, name: str | None = None, digest: str | None = None) -> str:
    """
    Name the file that *url* is kept in: readable, unique, and inside whatever folder it is put.

    Example:
        >>> file_name("https://s3.test/4f1e.JPG?X-Amz-Signature=1f", "../../etc/passwd")
        'etc_passwd-93677730015806c6.jpg'

    Args:
        url: Where the file is.
        name: What it is called; by default as in *url*.
        digest: What `address_digest` says of *url*, if that is known.
    """
    last = unquote(_split(url).path.rpartition("/")[2])
    found = _ending.search(last)
    ending = found[0].lower() if found else ""
    stem = name if name is not None else last
    if ending and stem.lower().endswith(ending):
        stem = stem[: -len(ending)]
    stem = _unsafe.sub("_", stem.encode("utf-8", "replace").decode()).strip("._ ")
    stem = stem.encode()[:STEM_BYTES].decode(errors="ignore")
    return f"{stem or 'file'}-{digest or address_digest(url)}{ending}"


def digest_in(file_name: str) -> str | None:
    """The digest that a name carries which `file_name` gave; a hidden file is none of its."""
    match = re.fullmatch(r"[^.].*-([0-9a-f]{16})(\.[a-z0-9]{1,8})?", file_name)
    return None if match is None else match[1]


def _split(url: str) -> SplitResult:
    """Take an address apart; what is none is all path, so that it has a name until it is asked for."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", url, "", "")
