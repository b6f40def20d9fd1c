"""What to choose from, where the service refuses a word as "not a valid choice" without saying which ones are."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from enum import StrEnum

_REFUSED = '" is not a valid choice'
_MIN_SIMILARITY = 0.6
"""Half of the letters is not close: "flowers" is no mistyped "other"."""
_MAX_WORD = 100
"""Maximum length of a word that is compared with the known ones."""
_MAX_NOTES = 10
"""Maximum notes on one error, which are printed and pickled with it."""


def notes_on_choices(fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """
    Return a note for each refused word, at most ten: the close one, and all that this version knows.

    The words are not checked before they are sent, as the service adds some without notice.

    Example:
        >>> [note] = notes_on_choices({"role": ['"labeller" is not a valid choice.']})
        >>> note
        "role: did you mean 'labeler'? Known values: 'admin', 'labeler', 'manager', 'reviewer', 'viewer'"

    Args:
        fields: The problems by field, as in ``ApiError.fields``.
    """
    return islice(_notes(fields), _MAX_NOTES)


def _notes(fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for path, problems in fields.items():
        known = _choices().get(path.rpartition(".")[2])
        refused = None if known is None else next(filter(None, map(_refused_word, problems)), None)
        if known is not None and refused is not None:
            near = _near(refused, known)
            hint = f"did you mean {near!r}? " if near else ""
            yield f"{path}: {hint}Known values: {', '.join(map(repr, known))}"


def _refused_word(problem: str) -> str | None:
    """Return the word that is refused, cut; None if none is. Without an expression, whose time would be quadratic."""
    head, found, _ = problem.rpartition(_REFUSED)
    _, quote, word = head.partition('"')
    return word[:_MAX_WORD] if found and quote else None


@cache
def _choices() -> dict[str, list[str]]:
    from segments_async.models import (  # noqa: PLC0415 (they are loaded with the first client, not with the package)
        Category,
        IssueStatus,
        LabelStatus,
        Role,
        TaskType,
    )

    enums: dict[str, type[StrEnum]] = {
        "category": Category,
        "label_status": LabelStatus,
        "role": Role,
        "status": IssueStatus,
        "task_type": TaskType,
    }
    return {name: [str(value) for value in enum if value] for name, enum in enums.items()}


def _near(word: str, known: list[str]) -> str | None:
    by_word = {value.lower().replace("_", "-"): value for value in known}
    word = word.lower().replace("_", "-")
    near = get_close_matches(word, by_word, n=1, cutoff=_MIN_SIMILARITY)
    longer = [value for value in by_word if word.startswith(value)]  # "administrator" for "admin"
    return next((by_word[value] for value in (*near, *longer)), None)
