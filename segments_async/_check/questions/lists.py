"""Pages, their order and their limits, and the filters of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from segments_async._check.asker import answer_text, object_in, rows_in
from segments_async._check.questions.samples import FIRST, SECOND, THIRD, TOTAL
from segments_async._counting import counted
from segments_async._wire.page_lengths import MIN_LIMIT
from segments_async.errors import NotFoundError
from segments_async.models import Sample

if TYPE_CHECKING:
    from segments_async._check.asker import Asker

PER_PAGE = 65
MAX_PER_PAGE = 1000
MIN_INACTIVE_MS = 300_000
MAX_TIME_S = 10_800

FILTERS: tuple[tuple[str, frozenset[str]], ...] = (
    ("city:Ghent", frozenset({FIRST})),
    ("n:=3", frozenset({FIRST})),
    ("n:>3", frozenset({SECOND})),
    ("n:>=3", frozenset({FIRST, SECOND})),
    ("n:<=7.5", frozenset({FIRST, SECOND})),
    ("tags:|red", frozenset({FIRST, SECOND})),
    ("flag:true", frozenset({FIRST})),
    ("tags:|red,n:=3", frozenset({FIRST})),
)
"""Conditions of the documented search syntax, and the samples that satisfy them."""
NOTED_FILTERS = ("n:3", "city:ghent")
"""Conditions whose meaning is not documented."""


async def _rows(ask: Asker, **params: Any) -> list[dict[str, Any]]:
    return rows_in(await ask.api("GET", ask.path("samples/"), params=params))


def _names(rows: list[dict[str, Any]]) -> list[str]:
    return [str(row.get("name")) for row in rows]


async def ask_about_pages(ask: Asker) -> None:
    """The limit of rows, pages that fit together, and the end."""
    ask.sample(SECOND)
    rows = await _rows(ask, per_page=MAX_PER_PAGE, page=1)
    ask.compare(
        "page-limit",
        f"rows for per_page=1000 of {TOTAL} samples",
        expected=TOTAL,
        found=len(rows),
        handled=MIN_LIMIT <= len(rows) < TOTAL,
    )
    ask.shape("listed-sample", "a sample in a list", rows[0], Sample)
    by_default = _names(rows)
    ask.compare("order", "names in the default order", expected="sorted", found=_order(by_default), handled=True)
    size = min(PER_PAGE, len(rows))
    first, second = [_names(await _rows(ask, per_page=size, page=page)) for page in (1, 2)]
    found = {"rows": len(first) + len(second), "different": len({*first, *second})}
    ask.compare("pages", f"two pages of {size}", expected={"rows": 2 * size, "different": 2 * size}, found=found)
    reply = await ask.api("GET", ask.path("samples/"), params={"per_page": size, "page": TOTAL // size + 2})
    is_end = reply.status == 404 and "invalid page" in answer_text(reply).lower()  # noqa: PLR2004
    is_empty = reply.status == 200 and reply.body() == []  # noqa: PLR2004
    ask.compare(
        "page-after-last",
        "the page after the last",
        expected="404, 'Invalid page.'",
        found="404, 'Invalid page.'" if is_end else answer_text(reply),
        handled=is_empty,
    )
    last = _names(await _rows(ask, per_page=1, page=1, sort="-name"))
    ask.compare("descending", "the first by -name", expected=max(ask.uuids), found=last[0], handled=True)


def _order(names: list[str]) -> str:
    return "sorted" if names == sorted(names) else f"{names[:3]}..."


async def ask_about_names(ask: Asker) -> None:
    """``name__contains``."""
    ask.sample(SECOND)
    names = sorted(_names(await _rows(ask, per_page=10, page=1, name__contains="k a.p")))
    ask.compare("name-contains", "name__contains=k a.p", expected=[FIRST], found=names)


async def ask_about_filters(ask: Asker) -> None:
    """The documented search syntax, as ``filters``."""
    for name in (FIRST, SECOND, THIRD):
        ask.sample(name)
    for condition, expected in FILTERS:
        names = sorted(_names(await _rows(ask, per_page=10, page=1, filters=condition)))
        ask.compare(f"filter {condition}", f"filters={condition}", expected=sorted(expected), found=names[:5])
    for condition in NOTED_FILTERS:
        names = sorted(_names(await _rows(ask, per_page=10, page=1, filters=condition)))
        ask.note(f"filter {condition}", f"filters={condition}", names[:5])


async def ask_about_unknown_labelset(ask: Asker) -> None:
    """An error, or samples without labels."""
    ask.sample(FIRST)
    reply = await ask.api("GET", ask.path("samples/"), params={"per_page": 2, "page": 1, "labelset": "unknown"})
    body = reply.body()
    unlabelled = isinstance(body, list) and all(row.get("label") is None for row in body)
    if unlabelled:
        ask.compare(
            "list-unknown-labelset",
            "a list with an unknown labelset",
            expected="404",
            found="samples without labels",
            handled=True,
        )
    else:
        ask.refusal("list-unknown-labelset", "a list with an unknown labelset", reply, NotFoundError, 404)


async def ask_about_big_dataset(ask: Asker) -> None:
    """An existing dataset, which is only read: pages beyond 1000 samples, and the time unit of work units."""
    if ask.big is None:
        return
    owner, _, name = ask.big.partition("/")
    path = f"/datasets/{quote(owner, safe='')}/{quote(name, safe='')}/"
    count = int(object_in(await ask.api("GET", path))["samples_count"])
    rows = rows_in(await ask.api("GET", f"{path}samples/", params={"per_page": MAX_PER_PAGE, "page": 1}))
    ask.compare(
        "big-page-limit",
        "rows for per_page=1000 of the big dataset",
        expected=min(count, MAX_PER_PAGE),
        found=len(rows),
        handled=MIN_LIMIT <= len(rows) < count,
    )
    reply = await ask.api("GET", f"{path}samples/", params={"per_page": 2 * MAX_PER_PAGE, "page": 1})
    body = reply.body()
    found = f"{len(body)} of {count}" if isinstance(body, list) else answer_text(reply)
    ask.note("beyond-page-limit", "rows for per_page=2000 of the big dataset", found)
    units = rows_in(await ask.api("GET", f"{path}workunits/", params={"per_page": 100, "page": 1}))
    unit, found = unit_of_time(units)
    if unit is None:
        ask.note("time-unit", "`time` of work units", found)
    else:
        ask.compare("time-unit", "`time` of work units", expected="milliseconds", found=found or "milliseconds")


def unit_of_time(units: list[dict[str, Any]]) -> tuple[str | None, str]:
    """
    Find out from work units what the unit of their times is.

    ``inactive_time`` adds up intervals of at least 5 minutes, and no one works for 3 hours without a pause.
    """
    inactive = [unit["inactive_time"] for unit in units if unit.get("inactive_time")]
    if inactive:
        return ("ms", "") if min(inactive) >= MIN_INACTIVE_MS else ("s", f"an inactive_time of {min(inactive)}")
    longest = max((unit.get("time") or 0 for unit in units), default=0)
    unclear = f"unclear: {counted(len(units), 'unit')}, the longest {longest}"
    return ("ms", "") if longest >= MAX_TIME_S else (None, unclear)


QUESTIONS = (
    ask_about_pages,
    ask_about_names,
    ask_about_filters,
    ask_about_unknown_labelset,
    ask_about_big_dataset,
)
