"""The samples that an import creates."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segments_async._transfer.local_files import FoundFile
from segments_async.errors import InputError
from segments_async.models import FileSample

if TYPE_CHECKING:
    from segments_async.models import Asset


_FILE_KEYS = ("image", "pcd")
"""Keys of the file in the attributes of a sample that has a single one."""


def sample_item(item: dict[str, Any]) -> FileSample | dict[str, Any] | InputError:
    """Return what to create for an image: files to upload, attributes with URLs, or why neither is possible."""
    name, files, urls, settings = item["name"], item["files"], item["urls"], item["settings"]
    given = item["attributes"]
    if files and all(files) and (not given or _file_key(given)):
        paths = [FoundFile.find(Path(file), Path(file).resolve()) or Path(file) for file in files]
        if given:
            return FileSample(name, paths, partial(_with_url, given), **settings)
        attributes = None if item["names"] is None else partial(_sequence, item["names"])
        return FileSample(name, paths if attributes else paths[0], attributes, **settings)
    if given is not None:
        return {"name": name, "attributes": given, **settings}
    if urls and all(urls):
        images = [{"image": {"url": url}} for url in urls]
        return {"name": name, "attributes": images[0] if item["names"] is None else _frames(item["names"], images)}
    missing = [frame for frame, file, url in zip(item["names"] or [], files, urls, strict=False) if not (file or url)]
    which = f"its frame {missing[0]!r}" if missing else "the image"
    return InputError(
        f"the dataset has no sample {name!r}, and {which} is not in the folder of the images; pass images="
    )


def _file_key(attributes: dict[str, Any]) -> str | None:
    """Return the key of the only file of a sample; None if it has several, as a sequence has."""
    return next((key for key in _FILE_KEYS if isinstance(attributes.get(key), dict)), None)


def _with_url(attributes: dict[str, Any], assets: list[Asset]) -> dict[str, Any]:
    key = _file_key(attributes) or ""
    return {**attributes, key: {**attributes[key], "url": assets[0].url}}


def _sequence(names: list[str], assets: list[Asset]) -> dict[str, Any]:
    return _frames(names, [{"image": {"url": asset.url}} for asset in assets])


def _frames(names: list[str], frames: list[dict[str, Any]]) -> dict[str, Any]:
    named = zip(names, frames, strict=True)
    return {"frames": [{**frame, "name": name.rpartition("/")[2]} for name, frame in named]}
