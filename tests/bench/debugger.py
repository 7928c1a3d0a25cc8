"""The debugger, side by side: how long it takes to start, stop and answer, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from tests.dap import JupyterDap
from tests.wire import Wire

ROUNDS = 7
REQUESTS = 40
CELL = "x = 1\nx = 2\nx = 3"
LOOP = "stop = False\nn = 0\nwhile not stop:\n    n += 1"
OFF = """
import sys
if 'ipyext' in sys.modules:
    while sys.modules['ipyext'].debugger().status().state != 'off': pass"""
LOOP_SPEED = """
def turns():
    t = time.perf_counter()
    for _ in range(1_000_000): pass
    return (time.perf_counter() - t) * 1000
print(turns())"""
CALL_SPEED = """
def call(n): return n
def calls():
    t = time.perf_counter()
    for i in range(100_000): call(i)
    return (time.perf_counter() - t) * 1000
print(calls())"""


class Timed(Protocol):
    """A kernel to measure: `Side` of the benchmark."""

    wire: Wire
    process: Any
    times: dict[str, list[float]]

    def time(self, what: str, action: Callable[[], Any]) -> None: ...


def measure(side: Timed, *, has_debugger: bool, busy_start: bool) -> None:
    """Add the debugger's figures of one kernel.

    Args:
        side: the kernel.
        has_debugger: whether it can debug at all; plain speed is measured in any case.
        busy_start: whether its debugger can be started while a cell runs.
    """
    debugger = JupyterDap(side.wire)
    debugger.check = lambda message: message
    _speed(side, "before the debugger")
    if not has_debugger:
        return
    debugger.attach()  # the import of debugpy is not measured
    _leave(side, debugger)
    for _ in range(ROUNDS):
        side.time("debugger: start and attach, main idle", debugger.attach)
        _leave(side, debugger)
    if busy_start:
        for _ in range(ROUNDS):
            running = _loop(side.wire)
            side.time("debugger: start and attach, main loops", debugger.attach)
            _end(side, running)
            _leave(side, debugger)
    debugger.attach()
    _speed(side, "debugger attached")
    _pauses(side, debugger)
    _requests(side, debugger)
    _leave(side, debugger)
    _speed(side, "after it has left")


def _leave(side: Timed, debugger: JupyterDap) -> None:
    """Afterwards it is off; stock, it stays as far on as it does. Main must be idle."""
    debugger.do("disconnect")
    side.wire.execute(OFF)


def _loop(wire: Wire) -> str:
    running = wire.send_execute(LOOP)
    wire.until(lambda: "busy" in wire.answers[running].states)
    wire.pump(0.1)
    return running


def _end(side: Timed, running: str) -> None:
    side.wire.control("interrupt_request")
    side.wire.wait(running)


def _pauses(side: Timed, debugger: JupyterDap) -> None:
    running = _loop(side.wire)
    for _ in range(ROUNDS):
        debugger.forget()
        side.time(
            "debugger: pause of a running loop",
            lambda: (debugger.begin("pause", threadId=1), debugger.wait_event("stopped")),
        )
        debugger.do("continue", threadId=1)
        debugger.wait_event("continued")
        side.wire.pump(0.3)
    _end(side, running)


def _requests(side: Timed, debugger: JupyterDap) -> None:
    debugger.set_breakpoints(debugger.cell(CELL), 2)
    debugger.forget()
    running = side.wire.send_execute(CELL)
    thread = debugger.wait_event("stopped")["body"]["threadId"]
    for _ in range(REQUESTS):
        side.time("debugger: threads request", lambda: debugger.do("threads"))
        side.time("debugger: debugInfo request", lambda: debugger.do("debugInfo"))
        side.time(
            "debugger: stackTrace request", lambda: debugger.do("stackTrace", threadId=thread)
        )
    debugger.do("continue", threadId=thread)
    side.wire.wait(running)
    debugger.set_breakpoints(debugger.cell(CELL))


def _speed(side: Timed, when: str) -> None:
    for _ in range(ROUNDS):
        for what, code in (("1 M loop turns", LOOP_SPEED), ("100 k calls", CALL_SPEED)):
            text = side.wire.execute(code).text()
            side.times.setdefault(f"{what}, {when}", []).append(float(text))
