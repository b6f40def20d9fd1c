"""Datasets, labelsets, collaborators and work units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from segments_async._check.asker import adds_slash, answer_text, object_in, rows_in
from segments_async._wire.replies import error_for
from segments_async.errors import AlreadyExistsError, CollaboratorError, NotFoundError, ValidationError
from segments_async.models import Dataset, Labelset

if TYPE_CHECKING:
    from segments_async._check.asker import Asker

CATEGORY = {"name": "object", "id": 1, "checked": {"by": "segments-async"}}
LABELSET, SPACED_LABELSET = "check", "check two"
NEW_DATASET: dict[str, Any] = {
    "task_type": "vector",
    "task_attributes": {"format_version": "0.1", "categories": [CATEGORY]},
    "category": "other",
    "data_type": "IMAGE",
    "public": False,
    "description": "Created by `segments-async check`, which deletes it.",
}


async def ask_about_creation(ask: Asker) -> None:
    """Create the throwaway dataset."""
    ask.secrets[ask.name] = "<dataset>"
    body = {"name": ask.name, **NEW_DATASET}
    ask.may_exist = True
    reply = await ask.api("POST", "/user/datasets/", json=body)
    ask.may_exist = not 400 <= reply.status < 500  # noqa: PLR2004
    ask.is_created = ask.status("create-dataset", "POST of a dataset", reply, 201)
    created = object_in(reply)
    ask.shape("created-dataset", "the created dataset", created, Dataset)
    ask.compare("private", "`public: false` of a new dataset", expected=False, found=created.get("public"))
    filled_in = {key: created.get(key) for key in sorted(created) if key.startswith(("enable_", "labeling_"))}
    ask.note("dataset-defaults", "what is filled in", filled_in)
    categories = created.get("task_attributes", {}).get("categories", [])
    found = "kept" if categories == [CATEGORY] else categories
    ask.compare("category-keys", "own keys of a category", expected="kept", found=found)
    reply = await ask.api("POST", "/user/datasets/", json=body)
    ask.refusal("dataset-exists", "a dataset of the same name", reply, AlreadyExistsError, 400)


async def ask_about_reading(ask: Asker) -> None:
    """Paths with and without the slash, and lists."""
    reply = await ask.api("GET", ask.path())
    dataset = object_in(reply)
    ask.shape("dataset", "a dataset", dataset, Dataset)
    names = [labelset.get("name") for labelset in dataset.get("labelsets", [])]
    ask.compare("first-labelset", "labelsets of a new dataset", expected=["ground-truth"], found=names)
    reply = await ask.api("GET", ask.path().rstrip("/"))
    ask.note("missing-slash", "a dataset without the trailing slash", answer_text(reply))
    reply = await ask.api("GET", f"{ask.path().removesuffix(f'{ask.name}/')}{ask.name}-unknown/")
    ask.refusal("unknown-dataset", "an unknown dataset", reply, NotFoundError, 404)
    rows = rows_in(await ask.api("GET", "/user/datasets/", params={"per_page": 1, "page": 1}))
    ask.compare("datasets-per-page", "rows for per_page=1", expected=1, found=len(rows))
    ask.shape("listed-dataset", "a dataset in a list", rows[0], Dataset)
    ask.note("listed-dataset-keys", "keys of a dataset in a list", ", ".join(sorted(rows[0])))


async def ask_about_changes(ask: Asker) -> None:
    """What a PATCH keeps."""
    reply = await ask.api("PATCH", ask.path(), json={"readme": "checked", "segments_async_unknown": 1})
    ask.status("patch-dataset", "PATCH of a dataset, with an unknown key", reply, 200)
    changed = object_in(reply)
    kept = changed.get("description") == NEW_DATASET["description"] and changed.get("task_type") == "vector"
    found = "kept" if kept and changed.get("readme") == "checked" else "lost"
    ask.compare("patch-dataset-keeps", "what a PATCH of a dataset does not name", expected="kept", found=found)
    ask.note("unknown-setting", "an unknown setting", _fate(changed))


def _fate(answer: dict[str, Any]) -> str:
    return "kept" if "segments_async_unknown" in answer else "ignored"


async def ask_about_labelsets(ask: Asker) -> None:
    """Labelsets come in one piece, and their names are encoded."""
    body = {"name": LABELSET, "description": "", "attributes": "{}"}
    reply = await ask.api("POST", ask.path("labelsets/"), json=body)
    ask.status("create-labelset", "POST of a labelset", reply, 201)
    ask.shape("labelset", "a labelset", object_in(reply), Labelset)
    reply = await ask.api("POST", ask.path("labelsets/"), json=body)
    ask.refusal("labelset-exists", "a labelset of the same name", reply, AlreadyExistsError, 400)
    reply = await ask.api("GET", ask.path("labelsets/unknown/"))
    ask.refusal("unknown-labelset", "an unknown labelset", reply, NotFoundError, 404)
    reply = await ask.api("POST", ask.path("labelsets/"), json={**body, "name": SPACED_LABELSET})
    if reply.status >= 400:  # noqa: PLR2004
        ask.note("encoded-name", "a labelset with a space in its name", answer_text(reply))
    else:
        reply = await ask.api("GET", ask.path(f"labelsets/{quote(SPACED_LABELSET)}/"))
        ask.compare("encoded-name", "GET of a percent-encoded name", expected="200", found=answer_text(reply))
    names = sorted(str(row.get("name")) for row in rows_in(await ask.api("GET", ask.path("labelsets/"))))
    ask.compare("labelsets", "the list of labelsets", expected=True, found={"ground-truth", LABELSET} <= set(names))


async def ask_about_collaborators(ask: Asker) -> None:
    """Only users that do not exist are named, so no one is invited."""
    stranger = f"segments-async-{uuid4().hex}"
    path = ask.path(f"collaborators/{stranger}")
    reply = await ask.api("GET", path)
    if is_redirect := adds_slash(reply):
        reply = await ask.api("GET", f"{path}/")
    found = "redirected to a slash" if is_redirect else "answered"
    question = "GET of a collaborator without a slash"
    ask.compare("collaborator-without-slash", question, expected="answered", found=found, handled=True)
    ask.refusal("unknown-collaborator", "an unknown collaborator", reply, NotFoundError, 404)
    reply = await ask.api("POST", ask.path("collaborators/"), json={"user": stranger, "role": "labeler"})
    raised = type(error_for(reply, now=0.0)) if reply.status >= 400 else None  # noqa: PLR2004
    is_right = raised is not None and issubclass(raised, (CollaboratorError, NotFoundError, ValidationError))
    found = answer_text(reply)
    ask.compare(
        "add-unknown-user",
        "adding a user who does not exist",
        expected="a 400 or 404",
        found="a 400 or 404" if is_right else found,
    )
    ask.note("add-unknown-user-words", "its words", found)


async def ask_about_workunits(ask: Asker) -> None:
    """Their parameters; a new dataset has none."""
    params = {
        "per_page": 10,
        "page": 1,
        "sort": "-created_at",
        "start": "2020-01-01T00:00:00",
        "end": "2099-01-01T00:00:00",
        "include_session_time_metrics": "true",
    }
    rows = rows_in(await ask.api("GET", ask.path("workunits/"), params=params))
    ask.compare("workunits", "work units of a new dataset", expected=[], found=rows)


async def ask_about_deletion(ask: Asker) -> None:
    """Deleting works, and is visible at once."""
    reply = await ask.api("DELETE", ask.path(f"labelsets/{LABELSET}/"))
    ask.status("delete-labelset", "DELETE of a labelset", reply, 204)
    path = ask.path()
    reply = await ask.api("DELETE", path)
    if ask.status("delete-dataset", "DELETE of a dataset", reply, 204):
        ask.may_exist = False
    reply = await ask.api("DELETE", path)
    ask.refusal("delete-again", "deleting it again", reply, NotFoundError, 404)


QUESTIONS = (
    ask_about_creation,
    ask_about_reading,
    ask_about_changes,
    ask_about_labelsets,
    ask_about_collaborators,
    ask_about_workunits,
)
LAST_QUESTIONS = (ask_about_deletion,)
