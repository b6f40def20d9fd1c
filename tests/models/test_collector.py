"""The garbage collector is off while a large answer is read, and as the program wants it afterwards."""

import gc
import os
import sys
from threading import Event, Thread

import pytest

from segments_async._serialization.collector import without_collections


@pytest.fixture(autouse=True)
def collector():
    """Leave the collector as it was."""
    was_enabled = gc.isenabled()
    yield
    (gc.enable if was_enabled else gc.disable)()


def test_off_during_the_call_and_on_again():
    gc.enable()
    assert not without_collections(gc.isenabled)
    assert gc.isenabled()


def test_on_again_after_an_error():
    gc.enable()
    with pytest.raises(ValueError, match="invalid literal"):
        without_collections(int, "seven")
    assert gc.isenabled()


def test_stays_off_if_the_program_has_switched_it_off():
    gc.disable()
    assert without_collections(int, "7") == 7
    assert not gc.isenabled()


def test_within_another_the_inner_one_ends_both():
    gc.enable()

    def outer():
        assert not without_collections(gc.isenabled)
        return gc.isenabled()

    assert without_collections(outer)
    assert gc.isenabled()


def test_interrupted_as_it_begins(monkeypatch):
    """A KeyboardInterrupt can come after any line, also after the collector was switched off."""
    gc.enable()

    def disable_and_interrupt():
        disable()
        raise KeyboardInterrupt

    disable = gc.disable
    with monkeypatch.context() as patch:
        patch.setattr(gc, "disable", disable_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            without_collections(int, "7")
    assert gc.isenabled()


def test_threads_that_overlap():
    gc.enable()
    started, finish = Event(), Event()
    first = Thread(target=without_collections, args=(lambda: started.set() or finish.wait(10),))
    first.start()
    assert started.wait(10)
    without_collections(int, "7")
    assert not gc.isenabled()  # the first still runs
    finish.set()
    first.join()
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork") or sys.version_info >= (3, 12), reason="forks beside a thread")
def test_fork_during_a_call():
    gc.enable()
    started, finish = Event(), Event()
    other = Thread(target=without_collections, args=(lambda: started.set() or finish.wait(10),))
    other.start()
    assert started.wait(10)
    process = os.fork()
    if not process:
        enabled = gc.isenabled() and not without_collections(gc.isenabled) and gc.isenabled()
        os._exit(0 if enabled else 1)
    finish.set()
    other.join()
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
