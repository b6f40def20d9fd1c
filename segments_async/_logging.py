"""The log that the environment variable ``SEGMENTS_LOG`` asks for."""

from __future__ import annotations

import logging
import os

LEVELS = ("debug", "info", "warning", "error")


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
