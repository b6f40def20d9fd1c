"""Keep the password of a Redis out of errors and logs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from segments_async._wire.causes import all_causes_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def password_masked(client: Any) -> Iterator[None]:
    """Replace the password of a client of redis-py in what is raised: a server may repeat what it was sent."""
    try:
        yield
    except Exception as error:
        password = client.connection_pool.connection_kwargs.get("password")
        if password:
            for exception in all_causes_of(error):
                exception.args = tuple(_masked(argument, str(password)) for argument in exception.args)
        raise


def _masked(argument: object, password: str) -> object:
    if not isinstance(argument, str):
        return argument
    for form in (password, repr(password)[1:-1], repr(password.encode())[2:-1]):
        argument = argument.replace(form, "***")
    return argument
