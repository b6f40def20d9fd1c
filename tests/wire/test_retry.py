from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.retry import (
    RETRY_AFTER_JITTER,
    RetryState,
    backoff,
    is_ambiguous,
    is_retryable,
    is_throttled,
    parse_retry_after,
)
from segments_async.errors import (
    ApiError,
    ConnectError,
    DecodeError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    ValidationError,
)
from segments_async.settings import RetryPolicy

NOON = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"  # what NOON is called


@pytest.mark.parametrize(
    ("headers", "detail", "expected"),
    [
        pytest.param({}, "", None, id="absent"),
        pytest.param({"retry-after": "7"}, "", 7.0, id="seconds"),
        pytest.param({"retry-after": " 1.5 "}, "", 1.5, id="fraction"),
        pytest.param({"retry-after": "0"}, "", 0.0, id="zero"),
        pytest.param({"retry-after": "-3"}, "", None, id="negative"),
        pytest.param({"retry-after": "nan"}, "", None, id="nan"),
        pytest.param({"retry-after": "inf"}, "", None, id="infinite"),
        pytest.param({"retry-after": "soon"}, "", None, id="garbage"),
        pytest.param({"retry-after": "1e9"}, "", 1e9, id="huge"),
        pytest.param({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, "", 10.0, id="date, local clock"),
        pytest.param(
            {"retry-after": "Tue, 14 Nov 2023 23:00:09 GMT", "date": "Tue, 14 Nov 2023 23:00:00 GMT"},
            "",
            9.0,
            id="date, the reply's clock",
        ),
        pytest.param({"retry-after": DATE, "date": "nonsense"}, "", 0.0, id="date, reply's clock is garbage"),
        pytest.param({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, "", 0.0, id="date in the past"),
        pytest.param({"retry-after": "Tue, 14 Nov 2023 22:13:30 -0000"}, "", 10.0, id="date without a zone"),
        pytest.param({"retry-after": "Tue, 99 Nov 2023 22:13:30 GMT"}, "", None, id="no such date"),
        pytest.param({}, "Request was throttled. Expected available in 12 seconds.", 12.0, id="DRF's words"),
        pytest.param({"retry-after": "3"}, "Expected available in 12 seconds.", 3.0, id="the header outranks words"),
    ],
)
def test_retry_after(headers, detail, expected):
    """Every form that a server may send; an invalid value is ignored."""
    assert parse_retry_after(headers, now=NOON, detail=detail) == expected


@given(st.text(max_size=40), st.text(max_size=40))
def test_retry_after_takes_any_text(value, date):
    """No header breaks the client."""
    seconds = parse_retry_after({"retry-after": value, "date": date}, now=NOON)

    assert seconds is None or 0 <= seconds < math.inf


@pytest.mark.parametrize(
    ("error", "throttled", "ambiguous", "retryable"),
    [
        (RateLimitError(429), True, False, True),
        (ServerError(503, retry_after=1.0), True, False, True),
        (ServerError(503), False, True, True),
        (ServerError(500), False, True, True),
        (ServerError(502), False, True, True),
        (ServerError(504), False, True, True),
        (ServerError(501), False, True, False),
        (ApiError(408), False, False, True),
        (ApiError(400, detail="RequestTimeout: Your socket connection was not read from."), False, False, True),
        (ApiError(400, detail="RequestTimeTooSkewed: The difference is too large."), False, False, False),
        (ValidationError(400), False, False, False),
        (NotFoundError(404), False, False, False),
        (ConnectError("refused", sent=False), False, False, True),
        (RequestTimeoutError("slow", sent=False), False, False, True),
        (RequestTimeoutError("slow"), False, True, True),
        (TransportError("lost"), False, True, True),
        (OutcomeUnknownError("lost"), False, True, True),
        (DecodeError("not JSON"), False, False, False),
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'status', '')}" if isinstance(value, Exception) else "",
)
def test_kinds_of_failure(error, throttled, ambiguous, retryable):
    """What was refused before any work, what may have been done, and what may succeed later."""
    assert (is_throttled(error), is_ambiguous(error), is_retryable(error)) == (throttled, ambiguous, retryable)


@pytest.mark.parametrize(
    ("failures", "jitter", "expected"),
    [(1, 1.0, 0.25), (2, 1.0, 0.5), (3, 0.5, 0.5), (1, 0.0, 0.0), (20, 1.0, 20.0), (5_000, 1.0, 20.0)],
)
def test_backoff_follows_its_formula(failures, jitter, expected):
    assert backoff(RetryPolicy(), failures, jitter) == expected


def _wait(error, **changes):
    arguments = {
        "policy": RetryPolicy(),
        "max_attempts": 3,
        "failures": 1,
        "throttles": 1,
        "may_repeat": True,
        "elapsed": 0.0,
        "jitter": 1.0,
    } | changes
    state = RetryState(arguments["policy"], arguments["max_attempts"], arguments["may_repeat"])
    state.failures = arguments["failures"] - (not is_throttled(error))
    state.throttles = arguments["throttles"] - is_throttled(error)
    return state.wait_after(error, elapsed=arguments["elapsed"], jitter=arguments["jitter"]).wait


@pytest.mark.parametrize(
    ("error", "changes", "expected"),
    [
        pytest.param(ServerError(503), {}, 0.25, id="repeats"),
        pytest.param(ServerError(503), {"failures": 2}, 0.5, id="doubles"),
        pytest.param(ServerError(503), {"failures": 3}, None, id="attempts used up"),
        pytest.param(ServerError(503), {"may_repeat": False}, None, id="might do it twice"),
        pytest.param(TransportError("lost"), {"may_repeat": False}, None, id="lost, might do it twice"),
        pytest.param(ConnectError("no", sent=False), {"may_repeat": False}, 0.25, id="nothing was sent"),
        pytest.param(ValidationError(400), {}, None, id="no use"),
        pytest.param(RateLimitError(429, retry_after=7.0), {"jitter": 0.0}, 7.0, id="as asked"),
        pytest.param(
            RateLimitError(429, retry_after=7.0), {}, 7.0 * (1 + RETRY_AFTER_JITTER), id="smeared, never early"
        ),
        pytest.param(RateLimitError(429), {"throttles": 2}, 0.5, id="no wait given: backs off"),
        pytest.param(RateLimitError(429, retry_after=0.0), {}, 0.25, id="a wait of zero: backs off"),
        pytest.param(RateLimitError(429, retry_after=1.0), {"failures": 3, "may_repeat": False}, 1.05, id="costs none"),
        pytest.param(RateLimitError(429, retry_after=61.0), {}, None, id="longer than total"),
        pytest.param(ServerError(503), {"elapsed": 59.9}, None, id="would end after total"),
        pytest.param(RateLimitError(429, retry_after=1.0), {"max_attempts": 1}, None, id="repeating is off"),
    ],
)
def test_wait_before_repeat(error, changes, expected):
    """When a request is sent again, and after how long."""
    assert _wait(error, **changes) == (None if expected is None else pytest.approx(expected))


@given(
    st.sampled_from([ServerError(503), RateLimitError(429), RateLimitError(429, retry_after=5.0), TransportError("x")]),
    st.integers(1, 100),
    st.integers(1, 100),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 100),
)
def test_a_wait_keeps_all_bounds(error, failures, throttles, jitter, elapsed):
    """No repeat is sent early, late, or after `total`."""
    policy = RetryPolicy()
    wait = _wait(error, failures=failures, throttles=throttles, jitter=jitter, elapsed=elapsed)

    if wait is not None:
        asked = getattr(error, "retry_after", None)
        assert elapsed + wait <= policy.total
        assert wait >= (asked or 0.0)
        assert wait <= max(policy.cap, (asked or 0.0) * (1 + RETRY_AFTER_JITTER))
