"""Issues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._check.asker import object_in, rows_in
from segments_async._check.questions.samples import FIRST
from segments_async.models import Issue

if TYPE_CHECKING:
    from segments_async._check.asker import Asker


async def ask_about_issues(ask: Asker) -> None:
    """Create, list, close and delete an issue."""
    body = {"description": "checked", "status": "OPEN"}
    reply = await ask.api("POST", f"/samples/{ask.sample(FIRST)}/issues/", json=body)
    ask.status("create-issue", "POST of an issue", reply, 201)
    issue = object_in(reply)
    ask.shape("issue", "an issue", issue, Issue)
    rows = rows_in(await ask.api("GET", ask.path("issues/")))
    ask.compare("issues", "the list of issues", expected=1, found=len(rows))
    path = f"/issues/{issue['uuid']}/"
    changed = object_in(await ask.api("PATCH", path, json={"status": "CLOSED"}))
    found = {key: changed.get(key) for key in body}
    ask.compare("close-issue", "PATCH of the status", expected={**body, "status": "CLOSED"}, found=found)
    ask.status("delete-issue", "DELETE of an issue", await ask.api("DELETE", path), 204)


QUESTIONS = (ask_about_issues,)
