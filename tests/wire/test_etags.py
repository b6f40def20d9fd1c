"""Which ``ETag`` values identify content."""

from __future__ import annotations

import pytest

from segments_async._wire.etags import strong_etag


@pytest.mark.parametrize("text", ['"5d41402a"', '"d41d8cd98f00b204e9800998ecf8427e-12"', '""', '"it\'s"'])
def test_strong(text):
    assert strong_etag(text) == text


@pytest.mark.parametrize(
    "text", ['W/"5d41402a"', "", "5d41402a", '"a', '"a"b"', '"a b"', '"a\r\nX: y"', '"ü"', '"a"\n', None, 7]
)
def test_no_strong(text):
    assert strong_etag(text) is None
