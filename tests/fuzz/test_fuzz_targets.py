"""The fuzz targets run: on their seeds, and on some damaged ones. `fuzz.py` runs them for as long as one likes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import fuzz_targets  # noqa: F401 (registers the targets)
import pytest
from fuzz_setup import SEEDS, TARGETS, prepared

DAMAGED = 20


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> Iterator[None]:
    with prepared():
        yield


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow about damaged images
@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    chance = random.Random(7)
    for seed in SEEDS[name]:
        TARGETS[name](seed)
    for _ in range(DAMAGED):
        damaged = bytearray(chance.choice(SEEDS[name]))
        for _ in range(chance.randint(1, 3) if damaged else 0):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        TARGETS[name](bytes(damaged))
