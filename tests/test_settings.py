from __future__ import annotations

import math

import attrs
import httpx
import pytest

from segments_async import InputError, RetryPolicy
from segments_async.settings import default_timeout, timeout_from


@pytest.mark.parametrize(
    "changes",
    [{"attempts": 0}, {"attempts": 1.5}, {"attempts": True}, {"base": -1}, {"cap": math.nan}, {"total": "60"}],
)
def test_retry_policy_refuses_nonsense(changes):
    with pytest.raises(InputError) as caught:
        RetryPolicy(**changes)

    assert caught.value.path in changes


def test_settings_are_frozen():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RetryPolicy().attempts = 5


def test_default_timeout_has_four_phases():
    assert default_timeout().as_dict() == {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": None}


def test_timeout_in_seconds_bounds_each_phase_but_the_queue():
    assert timeout_from(2).as_dict() == {"connect": 2, "read": 2, "write": 2, "pool": None}


def test_httpx_timeout_is_taken_but_for_the_queue():
    """Calls wait for their turn at the gate, not in httpx."""
    timeout = timeout_from(httpx.Timeout(3.0, connect=2.0, pool=1.0))

    assert timeout.as_dict() == {"connect": 2.0, "read": 3.0, "write": 3.0, "pool": None}


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "5", True])
def test_timeout_refuses_nonsense(value):
    with pytest.raises(InputError, match="timeout"):
        timeout_from(value)
