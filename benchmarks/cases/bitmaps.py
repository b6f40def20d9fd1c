"""Conversion of label bitmaps of two million pixels between arrays and PNGs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.harness import Case, Contestant, Scale, speed_ratio
from benchmarks.payloads import painted_ids
from benchmarks.stopwatch import Run, measure_loop

if TYPE_CHECKING:
    from collections.abc import Callable

HEIGHT, WIDTH, OBJECTS = 1080, 1920, 40
TARGETS = {"encode": 2.0, "decode": 0.9, "semantic": 1.0}


def case(scale: Scale) -> Case:
    """Return the case."""
    contestants, checks = [], []
    for way, target in TARGETS.items():
        arguments = {"way": way, "repeats": scale.of(20), "side": scale.part}
        us, them = f"{way}, ours", f"{way}, official SDK"
        contestants += [
            Contestant(name=us, work=ours, arguments=arguments, needs=["numpy", "PIL"]),
            Contestant(name=them, work=official, arguments=arguments, needs=["numpy", "PIL", "segments"]),
        ]
        checks.append(speed_ratio(f"{way}, times as fast", us, them, at_least=target))
    return Case(
        name="bitmaps",
        about=f"a bitmap of {WIDTH} x {HEIGHT} pixels and {OBJECTS} objects, between its ids and the service's PNG",
        unit="bitmap",
        contestants=contestants,
        checks=checks,
        turns=scale.turns,
        has_server=False,
    )


def ours(way: str, repeats: int, side: float) -> Run:
    """Encode, decode or convert to semantic with this package."""
    from segments_async.images import decode_bitmap, encode_bitmap, semantic

    array, annotations = painted_ids(HEIGHT, WIDTH, OBJECTS, part=side)
    png = encode_bitmap(array)
    assert (decode_bitmap(png) == array).all()
    work: dict[str, Callable[[], Any]] = {
        "encode": lambda: encode_bitmap(array),
        "decode": lambda: decode_bitmap(png),
        "semantic": lambda: semantic(array, annotations),
    }
    return measure_loop(work[way], repeats=repeats)


def official(way: str, repeats: int, side: float) -> Run:
    """Do the same with the official SDK, which decodes downloaded content."""
    from segments import utils

    array, annotations = painted_ids(HEIGHT, WIDTH, OBJECTS, part=side)
    png = utils.bitmap2file(array).getvalue()
    response = type("Response", (), {"content": png})
    work: dict[str, Callable[[], Any]] = {
        "encode": lambda: utils.bitmap2file(array).getvalue(),
        "decode": lambda: utils.load_label_bitmap_from_url(""),
        "semantic": lambda: utils.get_semantic_bitmap(array, annotations),
    }
    with patch.object(utils.session, "get", lambda _: response):
        return measure_loop(work[way], repeats=repeats)
