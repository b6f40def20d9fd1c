"""Find the images of a task of Label Studio, and their names."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import frozen

from segments_async.imports.file_per_image import SUFFIXES
from segments_async.imports.reading import UnreadableError, normalized

_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio writes before the name of a file that is uploaded."""
_PREFERRED = ("image", "images", "img", "image_url", "url")


@frozen(kw_only=True)
class TaskImage:
    """An image of a task."""

    name: str
    """Its name as the user knows it."""
    long_name: str
    """A longer one, if two images of the file have the same name."""
    url: str | None = None


def images_of(data: dict[str, Any]) -> tuple[list[TaskImage], int]:
    """Return the images of a task's data, in their order, and how many other fields have images too."""
    candidates = [key for key, value in data.items() if _is_image(value)]
    keys = candidates or [key for key in _PREFERRED if data.get(key)]
    if not keys:
        raise UnreadableError(f"data: there is no image among {', '.join(map(repr, data)) or 'nothing'}")
    best = next((key for key in _PREFERRED if key in keys), keys[0])
    value = data[best]
    found = [_task_image(one) for one in (value if isinstance(value, list) else [value])]
    return found, len(keys) - 1


def _is_image(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str) and _is_image(one) for one in value)
    return (isinstance(value, str) and value.partition("?")[0].lower().endswith(SUFFIXES)) or _local(value) is not None


def _local(value: Any) -> str | None:
    """Return the path of a file of the local storage: ``/data/local-files/?d=folder/a.jpg``."""
    if not isinstance(value, str) or "/local-files/" not in value:
        return None
    return next(iter(parse_qs(urlsplit(value).query).get("d", [])), None)


def _task_image(value: Any) -> TaskImage:
    if not isinstance(value, str) or value.startswith("data:"):
        raise UnreadableError("data: expected the address of the image")
    if (local := _local(value)) is not None:
        return _named(local, local)
    parts = urlsplit(value)
    path = normalized(unquote(parts.path))
    last = path.rpartition("/")[2]
    if parts.scheme in {"http", "https"}:
        return _named(last, path, value)
    if parts.scheme:  # s3, gs, azure-blob
        return _named(path, f"{parts.netloc}/{path}")
    return _named(_UPLOAD.sub("", last, count=1) if "upload" in path.split("/") else last, last)


def _named(name: str, long_name: str, url: str | None = None) -> TaskImage:
    if not normalized(name).strip("."):
        raise UnreadableError(f"data: expected the address of the image, got {url or name!r}")
    return TaskImage(name=normalized(name), long_name=normalized(long_name), url=url)
