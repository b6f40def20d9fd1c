"""Assets and release files, and the storage host of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from segments_async._check.asker import NotAskedError, answer_text, object_in, rows_in
from segments_async._check.questions.samples import TOTAL
from segments_async._counting import counted
from segments_async._serialization.json import decode_json
from segments_async.errors import AlreadyExistsError
from segments_async.models import Asset, Release

if TYPE_CHECKING:
    from segments_async._check.asker import Asker
    from segments_async._wire.replies import Reply

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000a49444154789c63000100000500010d0a2db40000000049454e44ae426082"
)
"""A PNG of one transparent pixel."""
RELEASE = "check"
POLLS = 12
SECONDS_BETWEEN_POLLS = 3.0
PART = (10, 29)
"""The first and the last byte that a partial download asks for."""


async def ask_about_assets(ask: Asker) -> None:
    """Upload one pixel. An asset cannot be deleted."""
    reply = await ask.api("POST", "/assets/", json={"filename": "check.png"})
    ask.status("create-asset", "POST of an asset", reply, 201)
    asset = object_in(reply)
    ask.shape("asset", "an asset", asset, Asset)
    form = asset["presignedPostFields"]
    kinds = [value for name, value in form["fields"].items() if name.lower() == "content-type"]
    ask.compare("asset-type", "content type in the form", expected=["image/png"], found=kinds, handled=True)
    reply = await ask.probe.upload(form["url"], form["fields"], ("check.png", PIXEL, "image/png"))
    ask.status("upload", "upload of the form, with the file last", reply, 204)
    reply = await ask.probe.download(asset["url"])
    found = "the same" if reply.content == PIXEL else answer_text(reply)
    ask.compare("download", "the file at the asset's address", expected="the same", found=found)
    kind = reply.headers.get("content-type", "none")
    ask.compare("download-type", "its content type", expected="image/png", found=kind, handled=True)


async def ask_about_releases(ask: Asker) -> None:
    """Create a release, and wait until it is built."""
    body = {"name": RELEASE, "description": "checked"}
    reply = await ask.api("POST", ask.path("releases/"), json=body)
    ask.status("create-release", "POST of a release", reply, 201)
    created = object_in(reply)
    ask.shape("release", "a release", created, Release)
    ask.compare(
        "new-release", "`status` of a new release", expected="PENDING", found=created.get("status"), handled=True
    )
    reply = await ask.api("POST", ask.path("releases/"), json=body)
    ask.refusal("release-exists", "a release of the same name", reply, AlreadyExistsError, 400)
    release = await _built_release(ask)
    ask.compare("release-status", "`status` of a finished release", expected="SUCCEEDED", found=release.get("status"))
    rows = rows_in(await ask.api("GET", ask.path("releases/")))
    ask.compare("releases", "the list of releases", expected=[RELEASE], found=[row.get("name") for row in rows])
    await _ask_about_file(ask, release["attributes"]["url"])
    ask.status("delete-release", "DELETE of a release", await ask.api("DELETE", ask.path(f"releases/{RELEASE}/")), 204)


async def _built_release(ask: Asker) -> dict[str, Any]:
    for _ in range(POLLS):
        release = object_in(await ask.api("GET", ask.path(f"releases/{RELEASE}/")))
        if release.get("status") != "PENDING":
            return release
        await ask.probe.clock.sleep(SECONDS_BETWEEN_POLLS)
    raise NotAskedError(f"the release was not built within {POLLS * SECONDS_BETWEEN_POLLS:g} s")


async def _ask_about_file(ask: Asker, url: str) -> None:
    """Check the release file, whole and in part."""
    own = urlsplit(ask.probe.base_url).netloc != urlsplit(url).netloc
    ask.compare(
        "release-host", "the host of the release file", expected="another", found="another" if own else "the same"
    )
    whole = await ask.probe.download(url)
    ask.compare("release-file", "the release file, without the key", expected="200", found=answer_text(whole))
    headers = ("content-type", "content-encoding", "accept-ranges", "etag", "content-length")
    shown = {
        name: "given" if name in {"etag", "content-length"} else whole.headers[name]
        for name in headers
        if name in whole.headers
    }
    ask.note("release-headers", "headers of the release file", shown)
    _check_content(ask, decode_json(whole.content))
    part = await ask.probe.download(url, {"Range": f"bytes={PART[0]}-{PART[1]}", "Accept-Encoding": "identity"})
    ask.compare(
        "release-range", "`Range` on the release file", expected="206", found=_range_text(part, whole), handled=True
    )


def _range_text(part: Reply, whole: Reply) -> str:
    if part.status == 206 and part.content == whole.content[PART[0] : PART[1] + 1]:  # noqa: PLR2004
        return "206"
    if part.status == 200 and part.content == whole.content:  # noqa: PLR2004
        return "200, the whole file"
    content_range = part.headers.get("content-range", "no Content-Range")
    return f"{answer_text(part)}, {counted(len(part.content), 'byte')}, {content_range}"


def _check_content(ask: Asker, file: Any) -> None:
    dataset = file["dataset"]
    ask.note("release-keys", "keys of the release file", ", ".join(sorted(file)))
    keys = ("name", "owner", "task_type", "task_attributes", "labelsets", "samples")
    missing = [key for key in keys if key not in dataset]
    ask.compare("release-dataset", "missing keys of its dataset", expected=[], found=missing, handled=True)
    samples = dataset["samples"]
    ask.compare("release-samples", "samples in the release file", expected=TOTAL, found=len(samples))
    missing = [key for key in ("uuid", "name", "attributes", "metadata", "labels") if key not in samples[0]]
    ask.compare("release-sample", "missing keys of a sample in it", expected=[], found=missing, handled=True)
    labels = [sample["labels"].get("ground-truth", "missing") for sample in samples if "labels" in sample]
    found = "null" if None in labels else "missing"
    ask.compare("release-unlabelled", "an unlabelled sample in it", expected="null", found=found, handled=True)


QUESTIONS = (ask_about_assets, ask_about_releases)
