"""``segments-async login``, ``logout`` and ``whoami``."""

from __future__ import annotations

import getpass
import sys

from segments_async.cli import keys
from segments_async.cli.context import ContextArgument
from segments_async.cli.exit_statuses import KEY_REFUSED
from segments_async.cli.statuses import CommandError
from segments_async.cli.streams import interruptible


async def login(*, context: ContextArgument) -> None:
    """
    Check an API key and keep it.

    The key is read from the terminal without echo, or from standard input: segments-async login < key.txt. It is kept
    in the keyring (extra `keyring`), or else in a file that only you can read. SEGMENTS_API_KEY comes first.
    """
    from segments_async import AsyncSegments

    key = _read_key()
    if not key:
        raise CommandError("no key was given", status=KEY_REFUSED, hint="keys are at https://segments.ai/account")
    keys.remember(key)
    async with AsyncSegments(key, base_url=keys.base_url()) as client:
        user = await client.users.me()
    place = keys.keep_key(key)
    context.printer.message(f"logged in to {keys.base_url()} as {user.username}; the key is in {place}")
    found = keys.find_key()
    if found is not None and found.value != key:
        context.printer.message(f"but the key of {found.place} comes first")


async def logout(*, context: ContextArgument) -> None:
    """Forget the API key that `login` kept."""
    places = keys.forget_key()
    told = f"deleted the key from {' and '.join(places)}" if places else "no key was kept"
    context.printer.message(f"{told} for {keys.base_url()}")
    found = keys.find_key()
    if found is not None:
        context.printer.message(f"the key of {found.place} is still used")


async def whoami(*, context: ContextArgument) -> None:
    """Show whose API key is used, and where it is."""
    async with context.client() as client:
        user = await client.users.me()
    if context.printer.json:
        context.printer.print_object(user)
        return
    context.printer.print_text(user.username)
    found = keys.find_key()
    context.printer.remark(f"at {keys.base_url()}, with the key of {found.place if found else 'another place'}")


def _read_key() -> str:
    with interruptible():
        if sys.stdin.isatty():
            return getpass.getpass(f"API key for {keys.base_url()}: ", stream=sys.stderr).strip()
        return sys.stdin.readline().strip()
