"""The key, users, and the status of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from segments_async._check.asker import adds_slash, answer_text, object_in
from segments_async._wire.replies import error_for
from segments_async.errors import AuthenticationError, NotFoundError
from segments_async.models import User

if TYPE_CHECKING:
    from segments_async._check.asker import Asker

WRONG_KEY = "APIKey 0000000000000000000000000000000000000000"


async def ask_about_user(ask: Asker) -> None:
    """``GET /user`` has no trailing slash; an error ends the check."""
    reply = await ask.api("GET", "/user")
    is_redirect = adds_slash(reply)
    ask.compare("user-without-slash", "GET /user", expected="200", found=answer_text(reply), handled=is_redirect)
    if is_redirect:
        reply = await ask.api("GET", "/user/")
    if reply.status != 200:  # noqa: PLR2004
        raise error_for(reply, now=ask.probe.clock.time())
    user = object_in(reply)
    ask.user = str(user["username"])
    ask.secrets[ask.user] = "<user>"
    ask.shape("user", "the user", user, User)
    names = [name for name in reply.headers if "request-id" in name or "trace-id" in name or name == "cf-ray"]
    ask.note("request-id", "headers that identify a request", ", ".join(names) or "none")
    ask.compare("date", "the Date header", expected="given", found="given" if "date" in reply.headers else "missing")
    ask.note("coding", "Content-Encoding of an answer", reply.headers.get("content-encoding", "none"))
    limits = [name for name in reply.headers if "limit" in name]
    ask.note("limit-headers", "headers about a rate limit", ", ".join(limits) or "none")


async def ask_about_keys(ask: Asker) -> None:
    """A wrong key, and none."""
    reply = await ask.api("GET", "/user/datasets/", authorization=WRONG_KEY)
    ask.refusal("wrong-key", "a wrong key", reply, AuthenticationError, 401)
    reply = await ask.api("GET", "/user/datasets/", authorization="")
    ask.refusal("no-key", "no key", reply, AuthenticationError, 403)


async def ask_about_users(ask: Asker) -> None:
    """``GET /users/:name`` has no trailing slash either."""
    reply = await ask.api("GET", f"/users/{ask.user}")
    is_redirect = adds_slash(reply)
    ask.compare("users-without-slash", "GET /users/NAME", expected="200", found=answer_text(reply), handled=is_redirect)
    reply = await ask.api("GET", f"/users/segments-async-{uuid4().hex}{'/' if is_redirect else ''}")
    ask.refusal("unknown-user", "an unknown user", reply, NotFoundError, 404)


async def ask_about_api_status(ask: Asker) -> None:
    """``GET /api_status/``, as the SDK sends it."""
    reply = await ask.api("GET", "/api_status/", params={"lib_version": "1.33.0"})
    ask.compare("api-status", "GET /api_status/", expected="200", found=answer_text(reply))


QUESTIONS = (ask_about_keys, ask_about_users, ask_about_api_status)
