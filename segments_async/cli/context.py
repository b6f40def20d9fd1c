"""What every command receives: the global options, a printer, and clients."""

from __future__ import annotations

import logging
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated

from attrs import define, field
from cyclopts import Parameter

from segments_async.cli import keys
from segments_async.cli.printing import Printer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from segments_async import AsyncSegments

CONNECTIONS = 32


@define(kw_only=True)
class Context:
    """The global options of a command, and what it needs to carry it out."""

    printer: Printer = field(factory=Printer)
    verbosity: int = 0
    debug: bool = False
    options: frozenset[str] = frozenset()
    """The options of the command, which stand in messages for the arguments of the library."""
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
        from segments_async.cli.names import explain_not_found, full_name

        key = keys.needed_key() if key_needed else keys.find_key()
        connections = max(CONNECTIONS, concurrency or 0)
        value = "none" if key is None else key.value
        async with AsyncSegments(value, base_url=keys.base_url(), max_connections=connections) as client:
            try:
                if dataset is not None:
                    self.dataset = await full_name(client, dataset)
                yield client
            except NotFoundError as error:
                raise await explain_not_found(client, self.dataset, error) from error

    def worded(self, text: str) -> str:
        """Return a message of the library with the options of the command for arguments of Python."""
        from segments_async.cli.wording import with_options

        return with_options(text, self.options)

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Write the log of the library to standard error: with -v its messages, with -vv also each request."""
        if not self.verbosity:
            yield
            return
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger = logging.getLogger("segments_async")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO if self.verbosity == 1 else logging.DEBUG)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


ContextArgument = Annotated[Context, Parameter(parse=False)]
"""The argument of a command that `segments_async.cli.running` passes."""
