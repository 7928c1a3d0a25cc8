"""Trace functions that others take the place of live on: the interpreter may be about to call one.

The crash itself takes a garbage collection at just the wrong moment, in which another thread runs.
"""

from __future__ import annotations

import gc
import sys
import weakref
from types import FrameType
from typing import Any

import pytest

from ipyext_patches.ledger import Ledger
from ipyext_patches.targets.tracing import keep_tracers


class Debugger:
    """What pydevd's does with trace functions."""

    tracer: Any = None

    def trace_dispatch(self, *event: Any) -> None: ...

    def enable_tracing(self, thread_trace_func: Any = None) -> None:
        self.tracer = thread_trace_func

    def set_trace_for_frame_and_parents(self, ident: int, frame: FrameType) -> None:
        frame.f_trace = None


class Tracer:
    def __call__(self, *event: Any) -> None: ...


@pytest.fixture
def debugger() -> Any:
    class Patched(Debugger):
        enable_tracing = Debugger.enable_tracing
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
