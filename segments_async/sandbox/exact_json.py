"""JSON with integers of any size, as Python's own servers read and write it; orjson where it is exact."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_has_long_number = re.compile(rb"[0-9]{19}").search


def read_json(body: bytes) -> Any:
    """Read JSON text; raise ValueError if it is none."""
    return json.loads(body) if _has_long_number(body) else orjson.loads(body)


def write_json(value: Any) -> bytes:
    """Write JSON text."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
