"""Reports as HTML, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from segments_async.bulk.outcomes import Failed

MAX_ROWS = 20
"""Maximum rows of a table; the others are counted."""
MAX_NAMES = 3
"""Maximum items that are named for each group of errors."""


def report_html(
    heading: str, counts: Mapping[str, int], error_groups: Mapping[str, list[Failed[Any]]], *, is_complete: bool
) -> str:
    """Return a report as HTML, with all text escaped; not *is_complete* says that errors are missing."""
    by_status = [(f"{count:,}", status) for status, count in sorted(counts.items()) if count]
    errors = [(f"{len(found):,}", words, _names(found)) for words, found in error_groups.items()]
    return "".join(
        [
            f"<p><b>{escape(heading)}</b></p>",
            table_html(("items", "status"), by_status),
            table_html(("items", "error", "for example"), errors),
            "" if is_complete else "<p>Some outcomes were dropped: the errors are incomplete.</p>",
        ]
    )


def table_html(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table, with all text escaped; nothing if there are no rows."""
    if not rows:
        return ""
    more = f"<p>and {len(rows) - MAX_ROWS:,} more</p>" if len(rows) > MAX_ROWS else ""
    body = "".join(_row("td", row) for row in rows[:MAX_ROWS])
    return f"<table><thead>{_row('th', heads)}</thead><tbody>{body}</tbody></table>{more}"


def _row(tag: str, cells: Iterable[str]) -> str:
    cells = (f'<{tag} style="text-align: left">{escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{''.join(cells)}</tr>"


def _names(outcomes: list[Failed[Any]]) -> str:
    return ", ".join(str(outcome.key or f"item {outcome.index}") for outcome in outcomes[:MAX_NAMES])
