"""File names: independent of the URL's signature, and never outside their folder."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, strategies as st

from segments_async._transfer.file_names import address_digest, content_address, digest_in, file_name


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://s3.test/a.png", "https://s3.test/a.png"),
        ("https://s3.test/a.png?X-Amz-Date=1&X-Amz-Signature=2", "https://s3.test/a.png"),
        ("https://s3.test/a.png?x-amz-signature=2&versionId=3", "https://s3.test/a.png?versionId=3"),
        ("https://s3.test/a.png?AWSAccessKeyId=1&Expires=2&Signature=3", "https://s3.test/a.png"),
        ("https://gcs.test/a.png?GoogleAccessId=1&Expires=2&Signature=3", "https://gcs.test/a.png"),
        ("https://gcs.test/a.png?X-Goog-Signature=1&X-Goog-Date=2&generation=3", "https://gcs.test/a.png?generation=3"),
        ("https://cdn.test/a.png?Key-Pair-Id=1&Policy=2&Signature=3", "https://cdn.test/a.png"),
        ("https://blob.test/a.png?sv=1&se=2&sr=b&sp=r&sig=3", "https://blob.test/a.png"),
        ("https://example.com/?id=7", "https://example.com/?id=7"),
        ("https://example.com/?expires=7&sp=1", "https://example.com/?expires=7&sp=1"),
        ("https://example.com/a.png#part", "https://example.com/a.png"),
        ("http://[a/b.png", "http://[a/b.png"),
        ("https://example.com/?id=%FF&sig=%FE", "https://example.com/?id=%FF"),
        ("https://example.com/?id=%FE&sig=%FF", "https://example.com/?id=%FE"),
        ("https://example.com/?id=\udcff\ud800", "https://example.com/?id=%ED%B3%BF%ED%A0%80"),
    ],
)
def test_content_address(url, address):
    """What signs is left out, what names the content is not."""
    assert content_address(url) == address
    assert content_address(address) == address
    assert address_digest(url) == address_digest(address)


@pytest.mark.parametrize(
    ("url", "name", "start", "end"),
    [
        ("https://s3.test/x/violet.jpg", None, "violet-", ".jpg"),
        ("https://s3.test/x/violet%20%C3%A9.JPG?X-Amz-Signature=1", None, "violet é-", ".jpg"),
        ("https://s3.test/4f1e.png", "rose.png", "rose-", ".png"),
        ("https://s3.test/4f1e.png", "rose.jpg", "rose-", ".png"),
        ("https://s3.test/4f1e", "rose.jpg", "rose-", ".jpg"),
        ("https://s3.test/download/12345", "rose.JPG", "rose-", ".jpg"),
        ("https://s3.test/scan_0.25", None, "scan_0.25-", ""),
        ("https://s3.test/scan_0.25", "scan_0.25", "scan_0.25-", ""),
        ("https://s3.test/v1.25", "rose", "rose-", ""),
        ("https://s3.test/1.pcd", "scan.1", "scan.1-", ".pcd"),
        ("https://s3.test/LIDAR_TOP.pcd.bin", None, "LIDAR_TOP.pcd-", ".bin"),
        ("https://s3.test/4f1e", "clouds.LAZ", "clouds-", ".laz"),
        ("https://s3.test/photo.tar.gz", None, "photo.tar-", ".gz"),
        ("https://s3.test/4f1e.jpg", "../../etc/passwd", "etc_passwd-", ".jpg"),
        ("https://s3.test/4f1e.jpg", "a/b\\c:d*e\n", "a_b_c_d_e-", ".jpg"),
        ("https://s3.test/4f1e.jpg", "..", "file-", ".jpg"),
        ("https://s3.test/", None, "file-", ""),
        ("https://s3.test/a.tar%2F..%2Fetc", None, "a.tar_.._etc-", ""),
        ("https://s3.test/a.png", "CON", "CON-", ".png"),
        ("http://[a/b.png", None, "b-", ".png"),
    ],
)
def test_file_name(url, name, start, end):
    """Readable, with the address's ending."""
    found = file_name(url, name)
    assert found.startswith(start)
    assert found == f"{start}{address_digest(url)}{end}"


@pytest.mark.parametrize(
    ("path", "name", "media_type", "end"),
    [
        ("1", "rose", "image/jpeg", "rose-{}.jpg"),
        ("1", "rose.jpeg", "image/jpeg", "rose-{}.jpeg"),
        ("1", "rose.png", "image/jpeg; charset=binary", "rose-{}.jpg"),
        ("1.png", "rose", "image/jpeg", "rose-{}.png"),
        ("1", "scan_0.25", "IMAGE/PNG", "scan_0.25-{}.png"),
        ("1", "scan.pcd", "application/octet-stream", "scan-{}.pcd"),
        ("1", "scan.pcd", "", "scan-{}.pcd"),
        ("1", "notes", "text/plain", "notes-{}"),
        ("v1.25", None, "application/json", "v1.25-{}.json"),
    ],
)
def test_suffix_of_a_media_type(path, name, media_type, end):
    """The URL's suffix, then the name's if it fits the media type, then that of the media type."""
    url = f"https://s3.test/{path}"
    assert file_name(url, name, media_type=media_type) == end.format(address_digest(url))


@given(st.from_regex(r"https?://[a-zA-Z0-9._:-]{1,9}/[a-zA-Z0-9_.~/-]{0,20}", fullmatch=True))
def test_plain_urls_are_not_parsed(url):
    """What they are without parsing is what parsing gives."""
    assert content_address(url) == urlsplit(url).geturl()
    assert content_address(f"{url}?sig=1") == content_address(url)
    assert file_name(url) == file_name(f"{url}?", digest=address_digest(url))


@given(st.text(), st.none() | st.text())
def test_file_name_stays_in_its_folder(path, name):
    """Whatever a sample or a file is called."""
    url = f"https://s3.test/{path}".replace("[", "").replace("]", "")
    found = file_name(url, name)
    assert Path("/folder", found).resolve().parent == Path("/folder")
    assert not found.startswith(".")
    assert len(found.encode()) < 200
    assert not set(found) & set('/\\:*?"<>|\0\n\r')
    assert digest_in(found) == address_digest(url)


@pytest.mark.parametrize(
    "name", ["a.png", "-0123456789abcdef.png", ".a-0123456789abcdef.part", "a-0123456789abcde.png"]
)
def test_names_of_other_files(name):
    """What is being fetched, hidden beside its place, is none of the files that are there."""
    assert digest_in(name) is None
