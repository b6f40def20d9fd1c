"""Every exception of a request becomes an error that says whether it was sent."""

from __future__ import annotations

import errno
import ssl
import traceback

import anyio
import httpx
import pytest
from hypothesis import given, strategies as st

from segments_async._wire.content_coding import CodingError
from segments_async._wire.failures import request_error
from segments_async._wire.shortages import shortage_hint
from segments_async.errors import ConnectError, RequestTimeoutError, TransportError

CALL = ("PUT", "https://api.test/x/")


@pytest.mark.parametrize(
    ("error", "sent", "cls", "was_sent", "retryable"),
    [
        pytest.param(httpx.ConnectError("refused"), None, ConnectError, False, True, id="refused"),
        pytest.param(httpx.ConnectTimeout("slow"), None, RequestTimeoutError, False, True, id="connect timeout"),
        pytest.param(httpx.PoolTimeout("busy"), None, RequestTimeoutError, False, True, id="pool timeout"),
        pytest.param(httpx.ReadTimeout("slow"), True, RequestTimeoutError, True, True, id="read timeout"),
        pytest.param(httpx.ReadTimeout("slow"), None, RequestTimeoutError, True, True, id="read timeout, unknown"),
        pytest.param(httpx.ReadTimeout("CONNECT"), False, RequestTimeoutError, False, True, id="proxy hangs"),
        pytest.param(httpx.ReadError("reset"), True, TransportError, True, True, id="reset"),
        pytest.param(httpx.ReadError("reset"), False, ConnectError, False, True, id="reset before sending"),
        pytest.param(httpx.RemoteProtocolError("odd"), True, TransportError, True, True, id="odd answer"),
        pytest.param(httpx.ProxyError("502 Bad Gateway"), None, ConnectError, False, True, id="proxy 502"),
        pytest.param(httpx.ProxyError("407 Login"), None, ConnectError, False, False, id="proxy 407"),
        pytest.param(httpx.InvalidURL("no"), None, ConnectError, False, False, id="no URL"),
        pytest.param(httpx.UnsupportedProtocol("ftp"), None, ConnectError, False, False, id="scheme"),
        pytest.param(ssl.SSLError(1, "bad record mac"), True, TransportError, True, True, id="TLS"),
        pytest.param(ssl.SSLError(1, "alert"), False, ConnectError, False, True, id="TLS before sending"),
        pytest.param(OverflowError("port"), False, ConnectError, False, False, id="port"),
        pytest.param(UnicodeError("label too long"), False, ConnectError, False, False, id="host name"),
        pytest.param(CodingError("cut"), True, TransportError, True, True, id="cut gzip"),
        pytest.param(ZeroDivisionError("?"), True, TransportError, True, True, id="a bug"),
        pytest.param(RecursionError("deep"), None, TransportError, True, True, id="unknown"),
        pytest.param(OSError(errno.EMFILE, "Too many open files"), False, ConnectError, False, True, id="EMFILE"),
    ],
)
def test_kind(error, sent, cls, was_sent, retryable):
    found = request_error(error, *CALL, sent=sent)

    assert type(found) is cls
    assert found.sent is was_sent
    assert found.retryable is retryable
    assert (found.method, found.url) == CALL


KINDS = [
    ValueError,
    OSError,
    RuntimeError,
    KeyError,
    ssl.SSLError,
    httpx.ReadError,
    anyio.BrokenResourceError,
    MemoryError,
]


@given(st.sampled_from(KINDS), st.text(max_size=400), st.sampled_from([True, False, None]))
def test_any_exception(kind, text, sent):
    """Of any class and text: nothing unsent is called ambiguous, and the message can be printed."""
    found = request_error(kind(text), *CALL, sent=sent)

    assert isinstance(found, TransportError)
    assert found.sent is not False or sent is not True
    assert sent is not False or found.sent is False
    assert str(found).isprintable()
    assert len(str(found)) < 2_500


@pytest.mark.parametrize(
    "text",
    [
        "Cancelled via cancel scope 7f51c924cd60; reason: deadline exceeded",
        "<socket.socket fd=7 laddr=('127.0.0.1', 40322)> failed",
        "<object object at 0x7f51c924cd60> is odd",
    ],
)
def test_equal_failures_have_equal_messages(text):
    """No address of an object, and no port of ours."""
    message = str(request_error(httpx.ReadError(text), *CALL, sent=True))
    for part in ("7f51c924cd60", "40322", "0x"):
        assert part not in message


def test_text_of_a_cancellation_is_no_message():
    """A timeout is raised from the cancellation that it causes, whose text names a scope."""
    error = httpx.ReadTimeout("")
    error.__context__ = KeyboardInterrupt("cancel scope 7f51c924cd60")
    assert str(request_error(error, *CALL, sent=True)).startswith("no answer arrived in time on PUT")


def test_says_why_all_attempts_failed():
    """Once for each reason, in one order, also if they are in a group; nothing that the message says already."""
    error = httpx.ConnectError("all attempts failed")
    reasons = [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ECONNREFUSED]
    error.__cause__ = OSError("all attempts failed")
    error.__cause__.__cause__ = ExceptionGroup("many", [OSError(number, "x") for number in reasons])
    words = "no connection (all attempts failed: Connection refused, No route to host) on"
    assert str(request_error(error, *CALL)).startswith(words)

    said = httpx.ConnectError("Connection refused")
    said.__cause__ = OSError(errno.ECONNREFUSED, "x")
    assert str(request_error(said, *CALL)).startswith("no connection (Connection refused) on")


def test_traceback_shows_one_cause():
    """What the layers below have raised is not printed, but reachable."""
    below, error = OSError("below"), httpx.ConnectError("above")
    error.__cause__ = below
    found = request_error(error, *CALL)
    assert found.__cause__ is error
    assert error.__context__ is below
    assert "below" not in "".join(traceback.format_exception(found))


def test_cycles_end():
    """Exceptions may be each other's cause."""
    first, second = httpx.ReadError(""), ValueError("")
    first.__cause__, second.__cause__ = second, first
    assert isinstance(request_error(first, *CALL), TransportError)
    assert shortage_hint(first) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "max_connections"),
        (errno.ENOBUFS, "max_connections"),
        (errno.EAGAIN, "max_connections"),
        (errno.EADDRNOTAVAIL, "local port"),
        (errno.ENOSPC, "no space left"),
    ],
)
def test_shortage_says_what_to_do(number, words):
    error = httpx.ConnectError("all attempts failed")
    error.__cause__ = ExceptionGroup("many", [OSError(number, "x")]).exceptions[0]
    assert words in str(request_error(error, *CALL, sent=False))
