"""
The questions, in order.

Each is a function that asks about one thing and records what it finds; what it raises is recorded too, and ends only
that question. What it assumes is in ``docs/service.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._check.questions import accounts, datasets, files, issues, labels, lists, samples

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async._check.asker import Asker

    Question = Callable[[Asker], Awaitable[None]]

QUESTIONS: tuple[Question, ...] = (
    *accounts.QUESTIONS,
    *datasets.QUESTIONS,
    *samples.QUESTIONS,
    *lists.QUESTIONS,
    *labels.QUESTIONS,
    *issues.QUESTIONS,
    *files.QUESTIONS,
    *labels.LAST_QUESTIONS,
    *samples.LAST_QUESTIONS,
    *datasets.LAST_QUESTIONS,
)
