"""Run the questions against one throwaway dataset, and delete it in every case."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

import anyio

from segments_async._check.asker import Asker, answer_text
from segments_async._check.facts import CheckReport
from segments_async._check.probe import Probe
from segments_async._check.questions import QUESTIONS
from segments_async._check.questions.accounts import ask_about_user
from segments_async._version import __version__
from segments_async._wire.endpoint import dataset_name
from segments_async.errors import SegmentsError
from segments_async.settings import DEFAULT_BASE_URL, Clock, api_key_from, base_url_from, masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._check.facts import Fact

logger = logging.getLogger("segments_async")

PREFIX = "segments-async-check-"
CLEAN_UP_SECONDS = 60.0
DELETE_ATTEMPTS = 3
SECONDS_BETWEEN_ATTEMPTS = 2.0
_GONE = 404


async def check(
    api_key: str | None = None,
    *,
    base_url: str | None = None,
    big: str | None = None,
    on_fact: Callable[[Fact], object] = lambda _: None,
    clock: Clock = Clock(),  # noqa: B008 (frozen)
) -> CheckReport:
    """
    Ask the real service what this package assumes about it, in about 90 requests.

    Example::

        report = await check()
        print(report.summary())
        report.save("segments-check.json")

    It creates one private dataset with 130 samples that have no files of their own, and deletes it at the end, also
    after an error or a cancellation. It never sends more than three requests per second. It uploads one asset of 67
    bytes, which cannot be deleted, and invites no users. The report contains neither the key nor the user's name.

    Args:
        api_key: The API key; by default the environment variable ``SEGMENTS_API_KEY``.
        base_url: The URL of the service; by default the environment variable ``SEGMENTS_API_URL``, otherwise
            ``https://api.segments.ai``.
        big: A dataset with more than 1000 samples, as ``"owner/name"``, which is only read: it shows how many rows a
            page has at most, and the unit of the times of its work units.
        on_fact: Called with each fact as soon as it is known.
        clock: The sources of time; for tests.

    Returns:
        The facts. One that could not be asked about is a ``"DIFF"``, too.

    Raises:
        AuthenticationError: There is no API key, or the service rejects it.
        TransportError: The service cannot be reached.
    """
    key = api_key_from(masked(api_key))
    url = base_url_from(base_url or os.environ.get("SEGMENTS_API_URL") or DEFAULT_BASE_URL)
    big = None if big is None else dataset_name(big)
    probe = Probe(url, key, clock)
    report = CheckReport(
        base_url=url, version=__version__, started_at=datetime.fromtimestamp(clock.time(), UTC).replace(microsecond=0)
    )
    ask = Asker(probe=probe, report=report, on_fact=on_fact, name=f"{PREFIX}{uuid4().hex[:12]}", big=big)
    ask.secrets[key] = "***"
    if big is not None:
        ask.secrets[big] = "<big>"
    try:
        await _ask_all(ask)
    finally:
        with anyio.move_on_after(CLEAN_UP_SECONDS, shield=True):
            await _clean_up(ask)
        with anyio.CancelScope(shield=True):
            await probe.pool.aclose()
        report.requests = probe.requests
    return report


async def _ask_all(ask: Asker) -> None:
    await ask_about_user(ask)
    for question in QUESTIONS:
        try:
            await question(ask)
        except Exception as error:  # noqa: BLE001 (an answer may have any shape)
            topic = f"{question.__module__.rpartition('.')[2]}.{question.__qualname__.removeprefix('ask_about_')}"
            ask.failed(topic, error)
    ask.note("throttled", "throttled requests", ask.probe.throttled or "none")


async def _clean_up(ask: Asker) -> None:
    """
    Delete the dataset, if there may be one.

    A creation whose response was lost may still be carried out, so a dataset that is not there is looked for again.
    """
    if not ask.may_exist:
        return
    ask.report.left_behind = f"{ask.user}/{ask.name}"
    path = f"/datasets/{quote(ask.user, safe='')}/{ask.name}/"
    for _ in range(DELETE_ATTEMPTS):
        try:
            reply = await ask.api("DELETE", path)
        except SegmentsError as error:
            problem = str(error)
            continue
        if 200 <= reply.status < 300 or (reply.status == _GONE and ask.is_created):  # noqa: PLR2004
            ask.report.left_behind = None
            return
        problem = answer_text(reply)
        await ask.probe.clock.sleep(SECONDS_BETWEEN_ATTEMPTS)
    if problem.startswith(str(_GONE)):
        ask.report.left_behind = None
        return
    logger.error("could not delete the dataset %s; please delete it: %s", ask.report.left_behind, ask.scrub(problem))
