"""Samples, one by one and in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from segments_async._check.asker import answer_text, object_in, rows_in
from segments_async.errors import AlreadyExistsError, NotFoundError, ValidationError
from segments_async.models import Sample

if TYPE_CHECKING:
    from segments_async._check.asker import Asker

FIRST, SECOND, THIRD = "check a.png", "check-b.png", "check-c.png"
URL = "https://example.com/check.png"
IMAGE = {"image": {"url": URL}}
METADATA: dict[str, dict[str, Any]] = {
    FIRST: {"city": "Ghent", "n": 3, "tags": ["red", "dark blue"], "flag": True, "nested": {"a": [1.5, None]}},
    SECOND: {"city": "Ulm", "n": 7.5, "tags": ["red"]},
    THIRD: {"m": 0},
}
FILLERS = 127
"""Further samples, so that the dataset has more than the usual limits of a page."""
TOTAL = len(METADATA) + FILLERS
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def ask_about_creation(ask: Asker) -> None:
    """Create one sample."""
    body = {"name": FIRST, "attributes": IMAGE, "metadata": METADATA[FIRST]}
    reply = await ask.api("POST", ask.path("samples/"), json=body, compress=True)
    ask.status("create-sample", "POST of a sample, compressed", reply, 201)
    sample = object_in(reply)
    ask.uuids[FIRST] = str(sample["uuid"])
    ask.shape("sample", "a sample", sample, Sample)
    found = "kept" if sample.get("metadata") == METADATA[FIRST] else sample.get("metadata")
    ask.compare("metadata", "metadata of a sample", expected="kept", found=found)
    ask.compare("created-at", "`created_at`", expected="UTC", found=_zone(sample.get("created_at")), handled=True)
    reply = await ask.api("POST", ask.path("samples/"), json=body)
    ask.refusal("sample-exists", "a sample of the same name", reply, AlreadyExistsError, 400)


def _zone(moment: object) -> str:
    return "UTC" if isinstance(moment, str) and moment.endswith(("Z", "+00:00")) else str(moment)


async def ask_about_bulk(ask: Asker) -> None:
    """``samples_bulk`` creates what is new, and returns the rest unchanged."""
    names = [FIRST, SECOND, THIRD, *(f"check-{number:03}.png" for number in range(FILLERS))]
    metadata = {**METADATA, FIRST: {"changed": True}}
    items = [{"name": name, "attributes": IMAGE, "metadata": metadata.get(name, {})} for name in names]
    reply = await ask.api("POST", ask.path("samples_bulk/"), json=items, compress=True)
    ask.status("bulk", "POST of 130 samples, compressed", reply, 201)
    rows = reply.body()
    if not isinstance(rows, list):
        raise TypeError(f"expected a list, got {answer_text(reply)}")
    by_name = {row["name"]: row for row in rows}
    ask.uuids.update((name, str(row["uuid"])) for name, row in by_name.items())
    found = "all" if by_name.keys() == set(names) else f"{len(by_name)} of {len(names)}"
    ask.compare("bulk-names", "samples in the answer", expected="all", found=found)
    in_order = [row["name"] for row in rows] == names
    ask.compare("bulk-order", "order of the answer", expected=True, found=in_order, handled=True)
    existing = by_name[FIRST].get("metadata")
    found = "unchanged" if existing == METADATA[FIRST] else existing
    ask.compare("bulk-existing", "a sample that exists", expected="unchanged", found=found)


async def ask_about_bad_bulk(ask: Asker) -> None:
    """One bad item: whether the others are created, and whether the answer names it."""
    items = [{"name": "check-good.png", "attributes": IMAGE}, {"name": "check-bad.png"}]
    reply = await ask.api("POST", ask.path("samples_bulk/"), json=items)
    ask.refusal("bulk-bad-item", "one item without attributes", reply, ValidationError, 400)
    body = reply.body()
    named = isinstance(body, list) and len(body) == len(items) and not body[0] and bool(body[1])
    ask.compare("bulk-names-item", "whether the answer names the bad item", expected=True, found=named, handled=True)
    rows = rows_in(await ask.api("GET", ask.path("samples/"), params={"name__contains": "check-good"}))
    ask.compare("bulk-atomic", "good samples beside a bad one", expected=0, found=len(rows), handled=True)
    if rows:
        await ask.api("DELETE", f"/samples/{rows[0]['uuid']}/")


async def ask_about_reading(ask: Asker) -> None:
    """One sample, in all forms."""
    path = f"/samples/{ask.sample(FIRST)}/"
    reply = await ask.api("GET", path, params={"labelset": "ground-truth"})
    sample = object_in(reply)
    ask.compare("sample-without-label", "`label` of an unlabelled sample", expected="null", found=_label_of(sample))
    sample = object_in(await ask.api("GET", path, params={"include_signed_urls": 1}))
    image = sample.get("attributes", {}).get("image", {})
    ask.compare("signed-url", "`url` beside signed URLs", expected=URL, found=image.get("url"))
    ask.note("signed-url-of-public", "`signed_url` of a public address", "given" if "signed_url" in image else "none")
    reply = await ask.api("GET", f"/samples/{UNKNOWN}/")
    ask.refusal("unknown-sample", "an unknown sample", reply, NotFoundError, 404)
    reply = await ask.api("GET", "/samples/no-uuid/")
    ask.refusal("no-uuid", "a sample that is no uuid", reply, NotFoundError, 404)


def _label_of(sample: dict[str, Any]) -> str:
    if "label" not in sample:
        return "missing"
    return "null" if sample["label"] is None else "given"


async def ask_about_changes(ask: Asker) -> None:
    """What a PATCH keeps, replaces and refuses."""
    path = f"/samples/{ask.sample(SECOND)}/"
    body = {"priority": 5, "assigned_labeler": None, "segments_async_unknown": 1}
    reply = await ask.api("PATCH", path, json=body, compress=True)
    ask.status("patch-sample", "PATCH of a sample, with an unknown key", reply, 200)
    sample = object_in(reply)
    kept = (sample.get("name"), sample.get("metadata")) == (SECOND, METADATA[SECOND]) and "attributes" in sample
    found = "kept" if kept and sample.get("priority") == 5 else "lost"  # noqa: PLR2004
    ask.compare("patch-sample-keeps", "what a PATCH of a sample does not name", expected="kept", found=found)
    ask.note("unknown-key", "an unknown key of a sample", "kept" if "segments_async_unknown" in sample else "ignored")
    reply = await ask.api("PATCH", path, json={"name": FIRST})
    ask.refusal("rename-to-existing", "renaming a sample to a used name", reply, AlreadyExistsError, 400)
    sample = object_in(await ask.api("PATCH", f"/samples/{ask.sample(THIRD)}/", json={"metadata": {"m": 1}}))
    ask.compare("patch-metadata", "metadata after a PATCH", expected={"m": 1}, found=sample.get("metadata"))


async def ask_about_deletion(ask: Asker) -> None:
    """Deletion in bulk skips what it does not find, and has a limit."""
    uuids = [ask.sample(THIRD), UNKNOWN]
    reply = await ask.api("DELETE", ask.path("samples_bulk/"), json={"uuids": uuids})
    ask.compare(
        "bulk-delete", "DELETE of a known and an unknown uuid", expected={"deleted_count": 1}, found=reply.body()
    )
    reply = await ask.api("DELETE", ask.path("samples_bulk/"), json={"uuids": [str(uuid4()) for _ in range(1001)]})
    ask.refusal("bulk-delete-limit", "DELETE of 1001 uuids", reply, ValidationError, 400)
    path = f"/samples/{ask.sample(SECOND)}/"
    ask.status("delete-sample", "DELETE of a sample", await ask.api("DELETE", path), 204)
    ask.refusal("delete-sample-again", "deleting it again", await ask.api("DELETE", path), NotFoundError, 404)


QUESTIONS = (ask_about_creation, ask_about_bulk, ask_about_bad_bulk, ask_about_reading, ask_about_changes)
LAST_QUESTIONS = (ask_about_deletion,)
