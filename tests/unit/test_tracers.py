"""Trace functions that others take the place of live on: the interpreter may be about to call one.

The crash itself takes a garbage collection at just the wrong moment, in which another thread runs.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import weakref
from types import FrameType
from typing import Any

import pytest

from ipyext_patches.frames import no_collection
from ipyext_patches.ledger import Ledger
from ipyext_patches.targets.tracing import keep_tracers


class Debugger:
    """What pydevd's does with trace functions."""

    tracer: Any = None

    def trace_dispatch(self, *event: Any) -> None: ...

    def enable_tracing(self, thread_trace_func: Any = None) -> None:
        self.tracer = thread_trace_func

    def set_tracing_for_untraced_contexts(self, breakpoints_changed: bool = False) -> None: ...

    def set_trace_for_frame_and_parents(self, ident: int, frame: FrameType) -> None:
        frame.f_trace = None


class Tracer:
    def __call__(self, *event: Any) -> None: ...


@pytest.fixture
def debugger() -> Any:
    class Patched(Debugger):
        enable_tracing = Debugger.enable_tracing
        set_tracing_for_untraced_contexts = Debugger.set_tracing_for_untraced_contexts
        set_trace_for_frame_and_parents = Debugger.set_trace_for_frame_and_parents

    ledger = Ledger()
    ledger.apply(keep_tracers(Patched, ledger.switch))
    return Patched()


def test_one_that_a_thread_had_lives_on(debugger: Any) -> None:
    debugger.enable_tracing(tracer := Tracer())
    former = weakref.ref(tracer)
    del tracer
    debugger.enable_tracing(thread_trace_func=Tracer())
    gc.collect()
    assert former() is not None


def test_one_that_a_frame_had_lives_on(debugger: Any) -> None:
    frame, tracer = sys._getframe(), Tracer()
    former = weakref.ref(tracer)
    frame.f_trace = tracer
    del tracer
    debugger.set_trace_for_frame_and_parents(0, frame)
    assert frame.f_trace is None
    gc.collect()
    assert former() is not None


def test_they_end_with_the_debugger(debugger: Any) -> None:
    debugger.enable_tracing(tracer := Tracer())
    former = weakref.ref(tracer)
    del tracer
    debugger.enable_tracing(None)
    vars(debugger).clear()
    gc.collect()
    assert former() is None


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="collects between two bytecodes only")
@pytest.mark.parametrize("enabled", [True, False])
def test_nothing_is_collected_while_frames_are_looked_at(enabled: bool) -> None:
    former = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with no_collection():
            with no_collection():
                assert not gc.isenabled()
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
        with pytest.raises(KeyboardInterrupt), no_collection():
            raise KeyboardInterrupt
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if former else gc.disable)()


@pytest.mark.skipif(
    sys.version_info >= (3, 12) or not hasattr(os, "fork"), reason="nothing is held there"
)
@pytest.mark.parametrize("enabled", [True, False])
def test_a_process_forked_meanwhile_collects_as_before(enabled: bool) -> None:
    former = gc.isenabled()
    within, leave = threading.Event(), threading.Event()

    def look() -> None:
        with no_collection():
            within.set()
            leave.wait()

    (gc.enable if enabled else gc.disable)()
    thread = threading.Thread(target=look)
    try:
        thread.start()
        within.wait()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest-timeout has one
            signal.alarm(10)  # ends it, if it hangs
            right = gc.isenabled() is enabled
            with no_collection():  # does not wait for a thread that is not there
                right = right and not gc.isenabled()
            os._exit(0 if right and gc.isenabled() is enabled else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert not gc.isenabled()
    finally:
        leave.set()
        thread.join()
        (gc.enable if former else gc.disable)()
