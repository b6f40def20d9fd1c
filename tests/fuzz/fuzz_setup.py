"""What the fuzz targets share: their registry, an event loop, a folder, and sockets in memory."""

from __future__ import annotations

import asyncio
import logging
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import httpcore

from segments_async import SegmentsError
from segments_async._http.network import Backend, WireStream

KEY = "k3y-0f-jane-123456"

Target = Callable[[bytes], object]

TARGETS: dict[str, Target] = {}
SEEDS: dict[str, list[bytes]] = {}


def target(*seeds: bytes) -> Callable[[Target], Target]:
    """Register a function under its name, with inputs to start from."""

    def register(function: Target) -> Target:
        TARGETS[function.__name__] = function
        SEEDS[function.__name__] = list(seeds)
        return function

    return register


class _Shared:
    """What all inputs share, because making it anew would take most of the time."""

    runner: asyncio.Runner
    folder: Path


@contextmanager
def prepared() -> Iterator[None]:
    """Open what the targets use; the default transport connects to `FakeBackend.answers`, and nothing is logged."""
    logging.disable(logging.CRITICAL)  # of warnings about each damaged file
    try:
        with (
            patch("segments_async._http.transport.Backend", FakeBackend),
            tempfile.TemporaryDirectory() as folder,
            asyncio.Runner() as runner,
        ):
            _Shared.folder, _Shared.runner = Path(folder), runner
            yield
    finally:
        logging.disable(logging.NOTSET)


def run(coroutine: Any) -> Any:
    """Run a coroutine in the event loop that all inputs share."""
    return _Shared.runner.run(coroutine)


def scratch(name: str) -> Path:
    """Return a path in the folder that all inputs share."""
    return _Shared.folder / name


def check_error(error: SegmentsError) -> None:
    """Check what every error promises: it can be printed and pickled, and contains no key."""
    assert str(error).isprintable()
    assert KEY not in str(error) + repr(vars(error))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


class _FakeStream:
    """A socket on which the server has sent some bytes and then closed the connection."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def read(self, max_bytes: int, _: float | None = None) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > max_bytes:
            self._pieces.insert(0, piece[max_bytes:])
        return piece[:max_bytes]

    async def write(self, _: bytes, __: float | None = None) -> None:
        pass

    async def aclose(self) -> None:
        pass

    def get_extra_info(self, _: str) -> None:
        return None


class FakeBackend(Backend):
    answers: ClassVar[list[bytes]] = []

    async def connect_tcp(self, *_: Any, **__: Any) -> WireStream:
        if not self.answers:
            raise httpcore.ConnectError("refused")
        answer = self.answers.pop(0)
        size = 1 + answer[0] if answer else 1  # the first byte says how large the pieces are
        pieces = [answer[start : start + size] for start in range(1, len(answer), size)]
        return WireStream(_FakeStream(pieces), self._wire, is_secure=False)
