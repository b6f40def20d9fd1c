"""Whether a page that is shorter than requested may not be the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

MIN_LIMIT = 10
"""No service is expected to have a lower limit, so shorter lists cost one request."""
ROUND = 50


class LongestPages:
    """
    The longest page that each kind of list has received.

    A service may send fewer rows than requested although there are more. A page that is shorter than another one of the
    same kind was not cut: the length of the other is within the service's limit.
    """

    def __init__(self) -> None:
        self._rows: dict[Hashable, int] = {}

    def may_be_cut(self, kind: Hashable, received: int, requested: int) -> bool:
        """
        Return whether the service may have cut a page.

        A round number always counts as one, in case the service lowers its limit while the client is open.
        """
        longest = max(received, self._rows.get(kind, 0))
        self._rows[kind] = longest
        return MIN_LIMIT <= received < requested and (received == longest or received % ROUND == 0)
