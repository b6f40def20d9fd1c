from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import orjson

from segments_async.sandbox.arguments import (
    check_choice,
    check_count,
    check_headers,
    check_rate,
    check_seconds,
    is_whole,
)
from segments_async.sandbox.calls import Origin
from segments_async.sandbox.faults import Drop, Fault, FaultScript, default_content

if TYPE_CHECKING:
    from collections.abc import Mapping

METHODS = ("*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MIN_STATUS, MAX_STATUS = 200, 599


class FaultCalls:
    """The methods of `Sandbox` that script faults."""

    _faults: FaultScript

    def fail(
        self,
        method: str,
        path: str,
        *,
        times: int | None = 1,
        skip: int = 0,
        status: int | None = 503,
        json: Any = None,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        handled: bool = False,
        drop: Drop | None = None,
        delay: float = 0.0,
        stall: float = 0.0,
        rate: float | None = None,
        origin: Origin = "api",
    ) -> Fault:
        """
        Inject a fault: the next matching requests get *status* instead of the real response.

        Faults apply in the order in which they were added, at most one per request.

        Example:
            >>> with Sandbox() as sandbox:
            ...     fault = sandbox.fail("PUT", "/labels/*", status=429, headers={"Retry-After": "2"})
            ...     print(fault.hits)
            0

        Args:
            method: The HTTP method, such as ``"GET"``; ``"*"`` for all.
            path: The end of the path, such as ``"/samples/"``; or, if it contains a ``*``, a pattern for the whole
                path. It is matched against the path as sent, ignoring a trailing slash.
            times: How many requests it affects; None for all.
            skip: How many matching requests to let through first.
            status: The status of the response, from 200; None for the real response, for example with *delay*.
            json: The body of the response, as a JSON value.
            body: The raw body of the response, such as ``b"<html>"`` with status 200. Without *json* and *body*, an
                error has the body that the service (4xx) or the gateway in front of it (5xx) sends.
            headers: The headers of the response.
            content_type: The content type of the response; by default it matches the body.
            handled: Handle the request before sending *status*, like a gateway that times out too early.
            drop: Drop the connection, regardless of *status*: ``"before"`` the request is handled, ``"after"`` it is
                handled, or in the ``"middle"`` of the body of the real response.
            delay: Seconds to wait before handling the request.
            stall: Seconds to wait between handling the request and sending the response.
            rate: Bytes of the response body sent per second; None for no limit.
            origin: The origin of the requests: ``"api"`` or ``"storage"``.

        Returns:
            The fault; its ``hits`` counts the requests it has affected.

        Raises:
            ValueError: An argument has a value that can never apply.
        """
        method = _checked_method(method)
        _check_path(path)
        check_choice("origin", origin, get_args(Origin))
        check_choice("drop", drop, (None, *get_args(Drop)))
        check_choice("handled", handled, (True, False))
        check_count("times", times, "requests", optional=True)
        check_count("skip", skip, "requests")
        check_seconds("delay", delay)
        check_seconds("stall", stall)
        check_rate("rate", rate)
        _check_status(status)
        sent = check_headers("headers", {} if headers is None else headers)
        if content_type is not None:
            check_headers("content_type", {"Content-Type": content_type})
        written = _written(json, body)
        if (status is None or drop) and (written is not None or sent or content_type):
            why = "drop" if drop else "status=None"
            raise ValueError(f"json, body, headers and content_type are never sent with {why}.")
        content, kind = default_content(status or 200, sent) if written is None else (written, "application/json")
        fault = Fault(
            method=method,
            path=path,
            origin=origin,
            times=times,
            skip=skip,
            status=None if drop else status,
            content=content,
            content_type=content_type or kind,
            headers=sent,
            handled=handled or status is None or drop in {"after", "middle"},
            drop=drop,
            delay=delay,
            stall=stall,
            rate=rate,
        )
        self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Remove all scripted faults."""
        self._faults.clear()


def _checked_method(method: object) -> str:
    upper = method.upper() if isinstance(method, str) else ""
    if upper not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}.")
    return upper


def _check_path(path: object) -> None:
    if not isinstance(path, str) or not path:
        raise ValueError(f'path: expected the end of a path such as "/samples/", or a pattern, got {path!r}.')
    if "?" in path or "://" in path:
        raise ValueError(f"path: expected a path without a query or a host, as no other matches, got {path!r}.")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise ValueError(f"path: expected a path as it is sent, percent-encoded, got {path!r}.")


def _check_status(status: object) -> None:
    if status is not None and (not is_whole(status) or not MIN_STATUS <= status <= MAX_STATUS):
        raise ValueError(f"status: expected a status from {MIN_STATUS} to {MAX_STATUS} or None, got {status!r}.")


def _written(json: Any, body: object) -> bytes | None:
    """Return the body of a response; None if none is given."""
    if json is not None and body is not None:
        raise ValueError("json and body cannot be combined.")
    if json is not None:
        try:
            return orjson.dumps(json)
        except TypeError as error:
            raise ValueError(f"json: expected JSON: {error}.") from error
    if body is not None and not isinstance(body, bytes | str):
        raise ValueError(f"body: expected bytes or a string, got {body!r}.")
    return body.encode() if isinstance(body, str) else body
