"""The log of this package: who sees it, and records whose handlers raise."""

from __future__ import annotations

import logging
import os

LEVELS = ("debug", "info", "warning", "error")


def log_safely(logger: logging.Logger, level: int, message: str, *args: object, exc_info: bool = False) -> None:
    """
    Log a record where a call must not fail, nor lose a connection, because a handler or a filter raises.

    The exception is printed, as logging does for those of its own handlers.
    """
    try:
        logger.log(level, message, *args, exc_info=exc_info, stacklevel=2)
    except Exception:  # noqa: BLE001 (raised by code of the application)
        record = logging.LogRecord(logger.name, level, __file__, 0, message, args, None)
        logging.Handler().handleError(record)


def log_as_the_environment_says() -> None:
    """
    Show the log of this package if ``SEGMENTS_LOG`` names a level; without the variable, do nothing.

    Messages go where the application's own go. If it has no handlers, they go to standard error.
    """
    level = os.environ.get("SEGMENTS_LOG", "").strip().lower()
    if not level:
        return
    logger = logging.getLogger("segments_async")
    if level not in LEVELS:
        logger.warning("SEGMENTS_LOG is not one of %s; it is ignored", ", ".join(LEVELS))
        return
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logger.setLevel(level.upper())
