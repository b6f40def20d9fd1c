"""Labels: what PUT and PATCH keep, and how lists show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._check.asker import answer_text, object_in, rows_in
from segments_async._check.questions.samples import FIRST, SECOND
from segments_async.errors import NotFoundError
from segments_async.models import Label

if TYPE_CHECKING:
    from segments_async._check.asker import Asker
    from segments_async._wire.replies import Reply

GROUND_TRUTH = "ground-truth"


def _boxes(category_id: int = 1) -> dict[str, Any]:
    box = {"id": 1, "category_id": category_id, "type": "bbox", "points": [[0.1, 2.25], [30.123456789, 40]]}
    return {"format_version": "0.1", "annotations": [{**box, "checked": {"by": "segments-async"}}], "checked": True}


async def ask_about_missing_labels(ask: Asker) -> None:
    """GET and DELETE of a label that does not exist, and an unknown labelset."""
    path = f"/labels/{ask.sample(FIRST)}/{GROUND_TRUTH}/"
    for method, body in (("GET", None), ("DELETE", None)):
        reply = await ask.api(method, path, json=body)
        ask.refusal(f"no-label-{method.lower()}", f"{method} of a missing label", reply, NotFoundError, 404)
    reply = await ask.api("PUT", f"/labels/{ask.sample(FIRST)}/unknown/", json={"attributes": _boxes()})
    ask.refusal("label-unknown-labelset", "PUT into an unknown labelset", reply, NotFoundError, 404)


async def ask_about_put(ask: Asker) -> None:
    """PUT creates a label and replaces it; keys that are not sent are reset, or kept."""
    path = f"/labels/{ask.sample(FIRST)}/{GROUND_TRUTH}/"
    body = {"attributes": _boxes(), "label_status": "REVIEWED", "score": 0.5}
    reply = await ask.api("PUT", path, json=body, compress=True)
    ask.status("put-new", "PUT of a label, compressed", reply, 201)
    label = object_in(reply)
    ask.shape("label", "a label", label, Label)
    found = "kept" if label.get("attributes") == _boxes() else label.get("attributes")
    ask.compare("label-attributes", "numbers and own keys of a label", expected="kept", found=found)
    reply = await ask.api("PUT", path, json={"attributes": _boxes()})
    ask.status("put-again", "PUT of a label that exists", reply, 200)
    found = _fields(object_in(reply))
    expected = {"label_status": "PRELABELED", "score": None}
    ask.compare("put-resets", "what a PUT does not name", expected=expected, found=found, handled=True)


async def ask_about_patch(ask: Asker) -> None:
    """PATCH keeps what it does not name."""
    path = f"/labels/{ask.sample(FIRST)}/{GROUND_TRUTH}/"
    await ask.api("PUT", path, json={"attributes": _boxes(), "label_status": "REVIEWED", "score": 0.5})
    label = object_in(await ask.api("PATCH", path, json={"score": 0.75}))
    found = {**_fields(label), "attributes": label.get("attributes") == _boxes()}
    expected = {"label_status": "REVIEWED", "score": 0.75, "attributes": True}
    ask.compare("patch-score", "PATCH of the score alone", expected=expected, found=found)
    found = _fields(object_in(await ask.api("PATCH", path, json={"label_status": "LABELED"})))
    expected = {"label_status": "LABELED", "score": 0.75}
    ask.compare("patch-status", "PATCH of the status alone", expected=expected, found=found)
    found = _fields(object_in(await ask.api("PATCH", path, json={"score": None})))
    expected = {"label_status": "LABELED", "score": None}
    ask.compare("patch-null", "PATCH of the score to null", expected=expected, found=found)


def _fields(label: dict[str, Any]) -> dict[str, Any]:
    return {key: label.get(key) for key in ("label_status", "score")}


async def ask_about_odd_labels(ask: Asker) -> None:
    """What is accepted, though this client does not send it."""
    path = f"/labels/{ask.sample(SECOND)}/{GROUND_TRUTH}/"
    reply = await ask.api("PUT", path, json={"attributes": _boxes(), "label_status": "labeled"})
    ask.note("lower-case-status", "PUT with the status 'labeled'", _status_in(reply))
    reply = await ask.api("PUT", path, json={"attributes": _boxes(category_id=999)})
    ask.note("unknown-category", "PUT with a category that does not exist", _status_in(reply))


def _status_in(reply: Reply) -> str:
    body = reply.body()
    if reply.status >= 400 or not isinstance(body, dict):  # noqa: PLR2004
        return answer_text(reply)
    return f"{reply.status}, {body.get('label_status')}"


async def ask_about_lists(ask: Asker) -> None:
    """Summaries and whole labels in lists, and the filter by status."""
    ask.sample(FIRST)
    path, only = ask.path("samples/"), {"per_page": 10, "page": 1, "labelset": GROUND_TRUTH}
    rows = rows_in(await ask.api("GET", path, params={**only, "name__contains": FIRST}))
    keys = set(rows[0].get("label") or ())
    found = "a status without attributes" if "label_status" in keys and "attributes" not in keys else sorted(keys)
    ask.compare("label-in-list", "`label` in a list", expected="a status without attributes", found=found, handled=True)
    params = {**only, "name__contains": FIRST, "include_full_label": 1}
    rows = rows_in(await ask.api("GET", path, params=params))
    whole = (rows[0].get("label") or {}).get("attributes") == _boxes()
    ask.compare(
        "full-label", "`label` with include_full_label=1", expected="whole", found="whole" if whole else rows[0]
    )
    rows = rows_in(await ask.api("GET", path, params={**only, "label_status": "LABELED,REVIEWED"}))
    names = [row.get("name") for row in rows]
    ask.compare("filter-status", "label_status=LABELED,REVIEWED", expected=FIRST in names, found=True)
    only_others = [name for name in names if name not in {FIRST, SECOND}]
    ask.compare("filter-status-others", "unlabelled samples among them", expected=[], found=only_others)
    reply = await ask.api("GET", path, params={**only, "label_status": "labeled,reviewed"})
    same = reply.status == 200 and [row.get("name") for row in rows_in(reply)] == names  # noqa: PLR2004
    found = "the same" if same else answer_text(reply)
    ask.compare("filter-lower-case", "label_status=labeled,reviewed", expected="the same", found=found, handled=True)
    label = object_in(await ask.api("GET", f"/samples/{ask.sample(FIRST)}/", params={"labelset": GROUND_TRUTH})).get(
        "label"
    )
    whole = isinstance(label, dict) and label.get("attributes") == _boxes()
    ask.compare("sample-with-label", "`label` of one sample", expected="whole", found="whole" if whole else label)


async def ask_about_deletion(ask: Asker) -> None:
    """DELETE of a label that exists."""
    path = f"/labels/{ask.sample(FIRST)}/{GROUND_TRUTH}/"
    ask.status("delete-label", "DELETE of a label", await ask.api("DELETE", path), 204)


QUESTIONS = (ask_about_missing_labels, ask_about_put, ask_about_patch, ask_about_odd_labels, ask_about_lists)
LAST_QUESTIONS = (ask_about_deletion,)
