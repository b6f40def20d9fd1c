"""``segments-async api``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from segments_async.cli import keys
from segments_async.cli.context import ContextArgument
from segments_async.cli.lines import STDIN, check_source, read_stdin
from segments_async.cli.options import command_app, pairs, read_text
from segments_async.cli.statuses import CommandError

if TYPE_CHECKING:
    from segments_async import AsyncSegments
    from segments_async.cli.printing import Printer

app: App = command_app("api")

PER_PAGE = 100
_PAGING = frozenset({"page", "per_page"})


@app.default
async def call(
    method: str,
    path: str,
    /,
    *,
    field: Annotated[list[str] | None, Parameter(alias="-f")] = None,
    typed_field: Annotated[list[str] | None, Parameter(alias="-F")] = None,
    input: str | None = None,
    paginate: bool = False,
    context: ContextArgument,
) -> None:
    """
    Call any endpoint of the service and print its answer.

    The answer is printed as JSON, on a terminal with indents; with --json or --paginate, the objects of a list are
    printed one a line.

    Args:
        method: GET, POST, PUT, PATCH or DELETE.
        path: Such as /user/datasets/, or a URL of the service; it is sent as it is.
        field: key=value, as text: a parameter of the query for GET, otherwise a key of the body; may be repeated.
        typed_field: key=value, where the value is JSON, such as 3, true, null or {"a": 1}; or @ and a file, or @- for
            standard input, which contains a JSON object or list, or else text. May be repeated.
        input: A file with the body, as JSON; - is standard input.
        paginate: Get all pages of a list, from the page that PATH or a field names.
    """
    fields = _fields(field, typed_field, taken=input == STDIN)
    body = None if input is None else _read_body(input)
    in_query = method.upper() in {"GET", "HEAD", "OPTIONS", "DELETE"} or body is not None
    if paginate and method.upper() != "GET":
        raise CommandError("--paginate works with GET only")
    path = _path(path)
    async with context.client() as client:
        if paginate:
            await _print_pages(client, path, fields, context.printer)
            return
        answer = await client.request(
            method,
            path,
            params=fields if in_query else None,
            json=body if in_query or body is not None else fields or None,
        )
    _print_answer(answer, context.printer)


async def _print_pages(client: AsyncSegments, path: str, fields: dict[str, Any], printer: Printer) -> None:
    """Print the pages of a list until one is empty, or the same as before: some lists do not come in pages."""
    from segments_async import NotFoundError

    path, fields = _take_paging(path, fields)
    number, last = _first_page(fields), None
    while True:
        try:
            rows = await client.request("GET", path, params={**fields, "page": number})
        except NotFoundError:
            if last is None:
                raise
            return  # so Django REST framework answers behind the last page
        if not isinstance(rows, list):
            raise CommandError(f"--paginate: {path} is not a list", status=1)
        if not rows or rows == last:
            return
        for row in rows:
            printer.print_line(row)
        number, last = number + 1, rows


def _print_answer(answer: Any, printer: Printer) -> None:
    if answer is None:
        return
    if printer.json:
        for row in answer if isinstance(answer, list) else [answer]:
            printer.print_line(row)
    elif sys.stdout.isatty():
        printer.console().print_json(json.dumps(answer))
    else:
        printer.print_line(answer)


def _path(typed: str) -> str:
    """Return a path of the service."""
    path = typed.removeprefix(keys.base_url().rstrip("/"))
    if "://" in path.partition("?")[0]:
        raise CommandError(f"expected a path, or a URL that starts with {keys.base_url()}, got {typed!r}")
    return path if path.startswith("/") else f"/{path}"


def _take_paging(path: str, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Move the page, and how many rows it has, from the query of a path to the fields."""
    path, _, query = path.partition("?")
    taken: dict[str, Any] = {}
    kept = []
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key not in _PAGING:
            kept.append(part)
        elif key in fields or key in taken:
            raise CommandError(f"{key} is given twice: it is in the query of the path already")
        else:
            taken[key] = value
    query = "&".join(filter(None, kept))
    return f"{path}?{query}" if query else path, {"per_page": PER_PAGE, **taken, **fields}


def _first_page(fields: dict[str, Any]) -> int:
    try:
        return int(fields.get("page", 1))
    except (TypeError, ValueError):
        raise CommandError(f"--paginate: expected the number of a page, got {fields['page']!r}") from None


def _fields(texts: list[str] | None, values: list[str] | None, *, taken: bool) -> dict[str, Any]:
    """
    Return the fields that were given.

    Args:
        texts: ``key=value``, as text.
        values: ``key=value``, as JSON, or ``key=@file``.
        taken: Whether the body is read from standard input.
    """
    fields: dict[str, Any] = pairs(texts, "--field") or {}
    for key, value in _typed(values, taken=taken).items():
        if key in fields:
            raise CommandError(f"--typed-field: {key} is a --field already")
        fields[key] = value
    return fields


def _typed(values: list[str] | None, *, taken: bool) -> dict[str, Any]:
    typed = pairs(values, "--typed-field") or {}
    if [*typed.values()].count(f"@{STDIN}") + taken > 1:
        raise CommandError("standard input can be read once only")
    return {key: _value_of(key, text) for key, text in typed.items()}


def _value_of(key: str, text: str) -> Any:
    if text.startswith("@"):
        return _structure_or_text(read_text(Path(text[1:]), f"--typed-field: {key}"))
    try:
        return json.loads(text)
    except ValueError:
        raise CommandError(f"--typed-field: the value of {key} is not JSON; --field takes text") from None


def _structure_or_text(text: str) -> Any:
    """Return the JSON object or list that a file contains, or else its text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict | list) else text


def _read_body(source: str) -> Any:
    from segments_async._serialization.json import decode_json
    from segments_async.errors import DecodeError

    check_source(source)
    content = read_stdin() if source == STDIN else Path(source).read_bytes()
    try:
        return decode_json(content)
    except DecodeError as error:
        raise CommandError(f"--input: {error.problem}") from error
