from __future__ import annotations

import errno

import pytest

from segments_async import OutOfResourcesError
from segments_async._wire.retry import is_ambiguous, is_retryable, is_throttled
from segments_async._wire.shortages import shortage_advice, shortage_code, shortage_hint

CODES = ("EMFILE", "ENFILE", "ENOBUFS", "EAGAIN", "ENOMEM", "ENOSPC", "EDQUOT")


@pytest.mark.parametrize("name", CODES)
def test_every_shortage_has_a_hint(name):
    """It says what to lower, to raise or to free."""
    code = getattr(errno, name)
    error = OSError(code, "no more")
    hint = shortage_hint(error)
    assert shortage_code(error) == code
    assert hint.endswith(f": {shortage_advice(code)}")
    assert any(word in shortage_advice(code) for word in ("lower", "raise", "free"))


def test_open_files():
    assert shortage_hint(OSError(errno.EMFILE, "")) == (
        "too many open files: raise the limit (ulimit -n) or lower max_connections"
    )


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_a_cause_is_found(link):
    """Transports wrap the error of the system several times."""
    inner, middle, outer = OSError(errno.EMFILE, ""), RuntimeError("no connection"), ValueError("all attempts failed")
    setattr(middle, link, inner)
    setattr(outer, link, middle)
    assert shortage_code(outer) == errno.EMFILE


def test_a_loop_of_causes_ends():
    one, two = ValueError(), ValueError()
    one.__context__, two.__context__ = two, one
    assert shortage_hint(one) is None


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, ""), ValueError("EMFILE"), OSError("no number")])
def test_anything_else_is_no_shortage(error):
    assert shortage_hint(error) is None
    assert shortage_code(error) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [(MemoryError(), errno.ENOMEM), (RuntimeError("can't start new thread"), errno.EAGAIN)],
)
def test_shortages_without_a_number(error, code):
    assert shortage_code(error) == code


def test_it_is_worth_another_try():
    error = OutOfResourcesError("cannot be read (Too many open files)", path="files[3]", errno=errno.EMFILE)
    assert is_retryable(error)
    assert not is_ambiguous(error)
    assert not is_throttled(error)
    assert str(error.under("samples[1]")) == "samples[1].files[3]: cannot be read (Too many open files)"
    assert error.under("samples[1]").errno == errno.EMFILE


def test_a_cause_in_a_group_is_found():
    """trio tries each address of a host, and raises from the group of what happened."""
    failure = OSError("all attempts to connect to localhost:443 failed")
    failure.__cause__ = ExceptionGroup("", [ConnectionRefusedError(), OSError(errno.EMFILE, "Too many open files")])
    assert shortage_code(failure) == errno.EMFILE
    assert shortage_hint(failure).startswith("too many open files")
