"""The bitmaps that a label refers to: of an image, of the frames of a sequence, and of several sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BITMAP = "segmentation_bitmap"
_LISTS = ("frames", "sensors")


def bitmap_urls(attributes: Any) -> list[str]:
    """
    Return the addresses of the bitmaps of a label, each once.

    Example:
        >>> bitmap_urls({"frames": [{"segmentation_bitmap": {"url": "https://a"}}, {"annotations": []}]})
        ['https://a']
    """
    return list(dict.fromkeys(_urls(attributes)))


def _urls(attributes: Any) -> Iterator[str]:
    if not isinstance(attributes, dict):
        return
    url = _url_in(attributes)
    if url:
        yield url
    for part in _parts(attributes):
        yield from _urls(part)


def with_bitmap_urls(attributes: Any, urls: Mapping[str, str]) -> Any:
    """Return the attributes of a label with other addresses of its bitmaps, by the earlier address."""
    if not isinstance(attributes, dict):
        return attributes
    changed = dict(attributes)
    url = _url_in(attributes)
    if url in urls:
        changed[_BITMAP] = {**attributes[_BITMAP], "url": urls[url]}
    for name in _LISTS:
        if isinstance(attributes.get(name), list):
            changed[name] = [with_bitmap_urls(part, urls) for part in attributes[name]]
    if "attributes" in attributes:
        changed["attributes"] = with_bitmap_urls(attributes["attributes"], urls)
    return changed


def _parts(attributes: dict[str, Any]) -> Iterator[Any]:
    for name in _LISTS:
        if isinstance(attributes.get(name), list):
            yield from attributes[name]
    yield attributes.get("attributes")


def _url_in(attributes: dict[str, Any]) -> str:
    bitmap = attributes.get(_BITMAP)
    url = bitmap.get("url") if isinstance(bitmap, dict) else None
    return url if isinstance(url, str) else ""
