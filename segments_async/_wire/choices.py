"""What to choose from, where the service refuses a word as "not a valid choice" without saying which ones are."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from enum import StrEnum

_REFUSED = re.compile(r'"(.*)" is not a valid choice')
_MIN_SIMILARITY = 0.5


def notes_on_choices(fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """
    Yield a note for each refused word: the close ones, and all that this version knows.

    The words are not checked before they are sent, as the service adds some without notice.

    Example:
        >>> [note] = notes_on_choices({"role": ['"labeller" is not a valid choice.']})
        >>> note
        "role: did you mean 'labeler'? Known values: 'admin', 'labeler', 'manager', 'reviewer', 'viewer'"

    Args:
        fields: The problems by field, as in ``ApiError.fields``.
    """
    for path, problems in fields.items():
        refused = next(filter(None, map(_REFUSED.search, problems)), None)
        known = None if refused is None else _choices().get(path.rpartition(".")[2])
        if refused is not None and known is not None:
            near = _near(refused[1], known)
            hint = f"did you mean {near!r}? " if near else ""
            yield f"{path}: {hint}Known values: {', '.join(map(repr, known))}"


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
    near = get_close_matches(word.lower().replace("_", "-"), by_word, n=1, cutoff=_MIN_SIMILARITY)
    return by_word[near[0]] if near else None
