"""Without its libraries, each part raises an error that names the extra to install."""

import subprocess
import sys

import pytest

from segments_async.fastapi import QueueBackend

HIDE = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == {missing!r} else real(name, *more)
import {module}
"""


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("segments_async.webhooks", "standardwebhooks", "webhooks"),
        ("segments_async.fastapi", "fastapi", "fastapi"),
        ("segments_async.fastapi", "standardwebhooks", "fastapi"),
        ("segments_async.sandbox", "standardwebhooks", "sandbox"),
    ],
)
def test_what_is_missing_is_named(module, missing, extra):
    code = HIDE.format(module=module, missing=missing)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert missing in last
    assert f'pip install "segments-async[{extra}]"' in last


def test_a_queue_names_its_extra(monkeypatch):
    monkeypatch.setattr("segments_async.fastapi.queue.find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"segments-async\[queue\]"):
        QueueBackend("redis://localhost")
