"""The estimate of what JSON takes in memory is never too low, and for answers of the service not much too high."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hostile_shapes import SHAPES
from hypothesis import given, settings, strategies as st
from payloads_of_every_kind import LABELS

from segments_async import Dataset, Label, Sample, User, Workunit, structure
from segments_async._serialization.decoded_size import decoded_size, may_exceed
from segments_async._serialization.json import decode_json, encode_json

SIZE = 200_000


def traced(text: bytes, model: Any = Any) -> int:
    """
    Return the peak of Python's memory while *text* becomes a *model*.

    orjson reserves 12 bytes for each of the text, of which it uses what its document needs; they are subtracted.
    """
    structure(decode_json(b"[]"), Any if model is Any else model)
    tracemalloc.start()
    try:
        structure(decode_json(text), model)
        return tracemalloc.get_traced_memory()[1] - 12 * len(text)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", SHAPES)
def test_never_too_low(name):
    text = SHAPES[name](SIZE)
    assert traced(text) <= decoded_size(text)


RESIDENT = """
import sys
from hostile_shapes import SHAPES
from segments_async._serialization.json import decode_json

def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))

text = SHAPES[sys.argv[1]](int(sys.argv[2]))
decode_json(b"[]")
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
before = memory("VmRSS")
value = decode_json(text)
print(memory("VmHWM") - before)
"""
"""Print by how much the memory of the process grows at most while JSON is decoded."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs the peaks that Linux counts")
@pytest.mark.parametrize("name", SHAPES)
def test_memory_of_the_process(name):
    """What is just allowed stays within what was allowed."""
    allowed = 60_000_000
    size = int(allowed / decoded_size(SHAPES[name](SIZE)) * SIZE)
    command = [sys.executable, "-c", RESIDENT, name, str(size)]
    grown = subprocess.run(command, cwd=Path(__file__).parent.parent, check=True, capture_output=True, text=True).stdout
    assert int(grown) <= allowed * 1.03  # of a rounded size


@pytest.mark.parametrize(
    ("model", "text"),
    [
        pytest.param(Workunit, b"{}", id="workunit"),
        pytest.param(Label, b"{}", id="label"),
        pytest.param(Dataset, b'{"name":""}', id="dataset"),
        pytest.param(User, b'{"username":""}', id="user"),
        pytest.param(Sample, b'{"uuid":"","name":"","attributes":{"image":{"url":""}}}', id="sample"),
        pytest.param(
            Label,
            b'{"label_status":"L","label_type":"vector","attributes":{"annotations":[%s]}}'
            % b",".join([b'{"id":1,"category_id":1,"type":"point","points":[[0,0]]}'] * 100),
            id="vector label",
        ),
    ],
)
def test_models_are_included(model, text):
    text = b"[%s]" % b",".join([text] * (SIZE // len(text)))
    assert traced(text, list[model]) <= decoded_size(text)


@pytest.mark.parametrize("name", SHAPES)
def test_no_byte_costs_more_than_the_maximum(name):
    """What `may_exceed` says without reading the text is never contradicted by the estimate."""
    text = SHAPES[name](SIZE)
    assert may_exceed(len(text), decoded_size(text) - 1)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=30,
)


@given(value=JSON, copies=st.integers(1, 50))
@settings(deadline=None)
def test_any_json(value, copies):
    text = encode_json([value] * copies)
    assert may_exceed(len(text), decoded_size(text) - 1)
    assert traced(text) <= decoded_size(text) + 5000  # which a first call of anything may keep


@pytest.mark.parametrize("kind", LABELS)
def test_real_answers_are_not_refused(kind):
    """A page of a thousand labels of any kind would pass with a tenth of the default."""
    text = encode_json([{"label_status": "LABELED", "attributes": LABELS[kind]}] * 1000)
    assert decoded_size(text) < 40 * len(text)
