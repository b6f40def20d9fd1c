"""Fault injection: replace, delay or drop the responses to selected requests."""

from __future__ import annotations

from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import define, field
from starlette.responses import Response

from segments_async.sandbox.problems import json_response

if TYPE_CHECKING:
    from segments_async.sandbox.calls import Origin

Drop: TypeAlias = Literal["before", "after", "middle"]


@define(eq=False, kw_only=True)
class Fault:
    """A scripted fault, created by `Sandbox.fail`, which documents the fields."""

    method: str
    path: str
    origin: Origin
    times: int | None
    skip: int
    status: int | None
    content: bytes
    """The body of the response."""
    content_type: str | None
    headers: dict[str, str]
    handled: bool
    drop: Drop | None
    delay: float
    stall: float
    rate: float | None
    matched: int = field(default=0, init=False)
    """Number of requests that match so far, including those that `skip` lets through."""

    @property
    def hits(self) -> int:
        """Number of requests affected so far."""
        return max(0, self.matched - self.skip)

    @property
    def spent(self) -> bool:
        """Whether it has affected all the requests it was meant for."""
        return self.times is not None and self.hits >= self.times

    def matches(self, origin: Origin, method: str, path: str) -> bool:
        """Return whether it applies to such a request."""
        if self.origin != origin or self.method not in {"*", method}:
            return False
        path, pattern = path.rstrip("/"), self.path.rstrip("/")
        return fnmatchcase(path, pattern) if "*" in pattern else path.endswith(pattern)

    def response(self) -> Response:
        """Build the scripted response."""
        status = 200 if self.status is None else self.status
        return Response(self.content, status, self.headers, self.content_type)


class FaultScript:
    """
    The scripted faults, oldest first.

    Any thread may add faults; the server's thread takes them. Each step is a single list operation, so no lock is
    needed.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Append *fault*."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def take(self, origin: Origin, method: str, path: str) -> Fault | None:
        """Return the fault for a request, if any, and count the request."""
        for fault in tuple(self._faults):
            if not fault.spent and fault.matches(origin, method, path):
                fault.matched += 1
                if fault.matched > fault.skip:
                    return fault
        return None


def default_content(status: int, headers: dict[str, str]) -> tuple[bytes, str | None]:
    """Return the body and content type that the service, or the gateway in front of it, sends with *status*."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    if status < 400:  # noqa: PLR2004  (the first error status)
        return b"", None
    if status >= 500:  # noqa: PLR2004  (the first server error status)
        title = f"{status} {phrase}"
        html = f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n</body>\n</html>\n"
        return html.encode(), "text/html"
    detail = f"{phrase}."
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        retry_after = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
        unit = "second" if retry_after == "1" else "seconds"
        expected = f" Expected available in {retry_after} {unit}." if retry_after.isdecimal() else ""
        detail = f"Request was throttled.{expected}"
    return bytes(json_response({"detail": detail}).body), "application/json"
