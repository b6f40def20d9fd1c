"""What every command receives: the global options, a printer, and clients."""

from __future__ import annotations

import logging
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from attrs import define, field
from cyclopts import Parameter

from segments_async.cli import keys
from segments_async.cli.printing import Printer
from segments_async.cli.statuses import KEY_REFUSED, CommandError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from segments_async import AsyncSegments

CONNECTIONS = 32


@define(kw_only=True)
class Context:
    """The global options of a command, and what it needs to carry it out."""

    printer: Printer = field(factory=Printer)
    verbosity: int = 0
    debug: bool = False
    dataset: str = ""
    """The dataset of the command, as ``owner/name``, once it is known: a missing one is looked up for the error."""

    @asynccontextmanager
    async def client(
        self, dataset: str | None = None, *, concurrency: int | None = None, key_needed: bool = True
    ) -> AsyncIterator[AsyncSegments]:
        """
        Open a client with the key of the environment, of the keyring or of the file.

        Args:
            dataset: The dataset of the command, as it was typed; then `dataset` is its ``owner/name``.
            concurrency: Requests in flight that the command was asked for.
            key_needed: Whether the command cannot do without a key.
        """
        from segments_async import AsyncSegments, NotFoundError
        from segments_async.cli.names import explain_missing, full_name

        key = keys.find_key()
        if key is None and key_needed:
            raise CommandError(
                f"no API key for {keys.base_url()}",
                status=KEY_REFUSED,
                hint="run `segments-async login`, or set SEGMENTS_API_KEY; keys are at https://segments.ai/account",
            )
        connections = max(CONNECTIONS, concurrency or 0)
        value = "none" if key is None else key.value
        async with AsyncSegments(value, base_url=keys.base_url(), max_connections=connections) as client:
            try:
                if dataset is not None:
                    self.dataset = await full_name(client, dataset)
                yield client
            except NotFoundError as error:
                raise await explain_missing(client, self.dataset, error) from error

    def start_log(self) -> None:
        """Write the log of the library to standard error: with -v its messages, with -vv also each request."""
        if not self.verbosity:
            return
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger = logging.getLogger("segments_async")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO if self.verbosity == 1 else logging.DEBUG)


ContextArgument = Annotated[Context, Parameter(parse=False)]
"""The argument of a command that `segments_async.cli.running` passes."""
