"""Record facts: compare what the service answers with what this package assumes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from attrs import Factory, define

from segments_async._caller_errors import describe
from segments_async._check.facts import Fact
from segments_async._serialization.converter import structure
from segments_async._wire.redirects import slash_redirect
from segments_async._wire.replies import error_for, read_problems
from segments_async.errors import DecodeError, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._check.facts import CheckReport, FactStatus
    from segments_async._check.probe import Probe
    from segments_async._wire.replies import Reply
    from segments_async.errors import ApiError

MAX_FOUND = 300
"""Maximum characters of what a fact quotes."""


class NotAskedError(Exception):
    """A question cannot be asked, because an earlier answer is missing."""


@define(eq=False)
class Asker:
    """
    What the questions share: the requests, the report, and what earlier questions have created.

    Attributes:
        secrets: Words that the report must not contain, with what it has instead.
    """

    probe: Probe
    report: CheckReport
    on_fact: Callable[[Fact], object]
    name: str
    """The name of the throwaway dataset."""
    big: str | None = None
    user: str = ""
    is_created: bool = False
    """Whether the service has created the throwaway dataset."""
    may_exist: bool = False
    """Whether it may have to be deleted."""
    uuids: dict[str, str] = Factory(dict)
    """The samples by name."""
    secrets: dict[str, str] = Factory(dict)

    async def api(self, method: str, path: str, **options: Any) -> Reply:
        """Send a request to the API; see `Probe.api`."""
        return await self.probe.api(method, path, **options)

    def path(self, rest: str = "") -> str:
        """Return a path below the throwaway dataset."""
        if not self.is_created:
            raise NotAskedError("the dataset was not created")
        return f"/datasets/{quote(self.user, safe='')}/{self.name}/{rest}"

    def sample(self, name: str) -> str:
        """Return the uuid of a sample."""
        if name not in self.uuids:
            raise NotAskedError(f"the sample {name} was not created")
        return self.uuids[name]

    def compare(self, name: str, question: str, *, expected: Any, found: Any, handled: bool = False) -> None:
        """Record whether *found* is as *expected*; *handled* says whether the client works with *found* too."""
        if found == expected:
            self._add(name, question, "ok", found)
        else:
            self._add(name, question, "DIFF", found, expected=expected, handled=handled)

    def note(self, name: str, question: str, found: Any) -> None:
        """Record a fact that the package does not rely on."""
        self._add(name, question, "note", found)

    def status(self, name: str, question: str, reply: Reply, expected: int) -> bool:
        """Record the status of a success, and return whether it is one; the client takes any 2xx."""
        is_success = 200 <= reply.status < 300  # noqa: PLR2004
        found = str(reply.status) if is_success else answer_text(reply)
        self.compare(name, question, expected=str(expected), found=found, handled=is_success)
        return is_success

    def refusal(self, name: str, question: str, reply: Reply, error: type[ApiError], status: int) -> None:
        """Record the status of a refusal, and whether the client raises the right class for it."""
        raised = type(error_for(reply, now=0.0))
        found, is_right = answer_text(reply), raised is error
        if reply.status == status and is_right:
            self._add(name, question, "ok", found)
        else:
            found = found if is_right else f"{found}, which raises {raised.__name__}"
            self._add(name, question, "DIFF", found, expected=f"{status}, {error.__name__}", handled=is_right)

    def shape(self, name: str, question: str, value: Any, model: Any) -> None:
        """Record whether the client can read *value*, and the keys that it does not know."""
        try:
            found = structure(value, model)
        except DecodeError as error:
            self._add(name, question, "DIFF", str(error), expected=f"{model.__name__} can be read", handled=False)
            return
        extra = sorted(getattr(found, "extra", ()))
        if extra:
            self.note(name, question, f"can be read; further keys: {', '.join(extra)}")
        else:
            self._add(name, question, "ok", "can be read")

    def failed(self, name: str, error: Exception) -> None:
        """Record that a question could not be asked."""
        if isinstance(error, NotAskedError):
            self._add(name, "not asked", "note", str(error))
        else:
            self._add(name, "could not be asked", "DIFF", describe(error), expected="an answer", handled=False)

    def _add(
        self,
        name: str,
        question: str,
        status: FactStatus,
        found: Any,
        *,
        expected: Any = None,
        handled: bool | None = None,
    ) -> None:
        last = self.probe.last
        fact = Fact(
            name=name,
            question=self.scrub(question),
            status=status,
            found=self.scrub(as_text(found)),
            expected=None if expected is None else self.scrub(as_text(expected)),
            handled=handled,
            request_id=None if last is None or last.request_id is None else self.scrub(last.request_id),
        )
        self.report.facts.append(fact)
        self.on_fact(fact)

    def scrub(self, text: str) -> str:
        """Return *text* without secrets, on one line and not too long."""
        for word, instead in self.secrets.items():
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", instead, text)
        text = printable(" ".join(text.split()))
        return text if len(text) <= MAX_FOUND else f"{text[: MAX_FOUND - 3]}..."


def as_text(value: Any) -> str:
    """Return a found value as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def answer_text(reply: Reply) -> str:
    """Return the status of a response, with where it redirects to or what it says."""
    if 300 <= reply.status < 400:  # noqa: PLR2004
        return f"{reply.status} to {urlsplit(reply.headers.get('location', '')).path or 'nowhere'}"
    if reply.status >= 400:  # noqa: PLR2004
        return f"{reply.status}, {read_problems(reply.body())[0]!r}"
    return str(reply.status)


def adds_slash(reply: Reply) -> bool:
    """Return whether a response redirects to the same path with a trailing slash, which the client follows."""
    return slash_redirect(reply.status, reply.url, reply.headers.get("location")) is not None


def rows_in(reply: Reply) -> list[dict[str, Any]]:
    """Return the rows of a list; for any other answer, raise an error that quotes it."""
    body = reply.body()
    if reply.status != 200 or not isinstance(body, list):  # noqa: PLR2004
        raise TypeError(f"expected a list, got {answer_text(reply)}")
    return [row for row in body if isinstance(row, dict)]


def object_in(reply: Reply) -> dict[str, Any]:
    """Return the object that a response contains; for any other answer, raise an error that quotes it."""
    body = reply.body()
    if not 200 <= reply.status < 300 or not isinstance(body, dict):  # noqa: PLR2004
        raise TypeError(f"expected an object, got {answer_text(reply)}")
    return body
