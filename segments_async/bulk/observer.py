"""Call a function of the caller that only observes a run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from segments_async._logging import log_safely

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("segments_async")


class Observer(Generic[T]):
    """
    A function whose exceptions do not affect what it observes.

    Like a hook, it is called again after an exception, so that a progress bar is closed at the end. It may be called
    ten times a second, so only its first exception is logged.

    Args:
        function: Takes what is observed.
        name: The name of the argument, for the log.
    """

    def __init__(self, function: Callable[[T], object], name: str = "progress") -> None:
        self._function = function
        self._name = name
        self._has_raised = False

    def __call__(self, observed: T) -> None:
        """Call the function."""
        try:
            self._function(observed)
        except Exception:  # noqa: BLE001 (logged)
            if not self._has_raised:
                self._has_raised = True
                message = "%s raised; the call continues, and its further exceptions are not logged"
                log_safely(logger, logging.ERROR, message, self._name, exc_info=True)
