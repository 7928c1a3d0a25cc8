"""Interrupts that arrive where Python drops exceptions: in finalizers and callbacks."""

from __future__ import annotations

import pytest

from tests.wire import Wire

EVENTS = """
import asyncio, gc, sys, threading, time, weakref
begun, let = threading.Event(), threading.Event()
def busy(*arguments):
    begun.set()
    while not let.is_set(): pass
class Something: pass
class Finalized:
    def __del__(self): busy()
def collected(phase, info):
    gc.callbacks.remove(collected)
    busy()
def collect():
    gc.callbacks.append(collected)
    gc.collect()
"""
DROPS = {
    "a finalizer": "Finalized()",
    "a weak reference's callback": "it = Something(); ref = weakref.ref(it, busy); del it",
    "a callback of the collector": "collect()",
}


@pytest.fixture
def console(kernel: Wire) -> str:
    """A child that is not interrupted, in a kernel with the above."""
    console = kernel.create("console")
    assert kernel.execute(EVENTS, subshell=console).status == "ok"
    return console


def _interrupt(kernel: Wire, where: str | None, console: str) -> None:
    """As soon as code is where Python drops exceptions."""
    assert kernel.execute("begun.wait(20)", subshell=console).result == "True"
    kernel.control("interrupt_request", {"subshell_id": where} if where else {})


@pytest.mark.parametrize("drop", DROPS)
def test_it_comes_again(kernel: Wire, where: str | None, console: str, drop: str) -> None:
    # One statement: IPython compiles each by itself, and it would come again to that.
    code = f"if True:\n    {DROPS[drop]}\n    while True: last = 'line'"
    running = kernel.send_execute(code, subshell=where)
    _interrupt(kernel, where, console)
    (answer,) = kernel.wait(running)
    assert answer.content["ename"] == "KeyboardInterrupt"
    assert answer.text("stderr") == ""
    text = "".join(answer.content["traceback"])
    assert "ipyext" not in text
    assert "not let" not in text
    assert kernel.execute("1 + 1", subshell=where).result == "2"


def test_it_comes_again_to_what_sleeps(kernel: Wire, where: str | None, console: str) -> None:
    running = kernel.send_execute("Finalized()\ntime.sleep(600)", subshell=where)
    _interrupt(kernel, where, console)
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


def test_it_comes_again_to_what_awaits(kernel: Wire, where: str | None, console: str) -> None:
    code = "Finalized()\nawait asyncio.sleep(600)"
    for _ in range(20):  # it comes at any moment, also right before main's loop goes to sleep
        kernel.execute("begun.clear()", subshell=console)
        running = kernel.send_execute(code, subshell=where)
        _interrupt(kernel, where, console)
        assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


def test_it_never_hits_the_next_cell(kernel: Wire, where: str | None, console: str) -> None:
    for _ in range(20):
        kernel.execute("begun.clear()", subshell=console)
        running = kernel.send_execute(
            "it = Finalized(); del it", subshell=where, stop_on_error=False
        )
        following = kernel.send_execute("time.sleep(0.01) or 'unharmed'", subshell=where)
        _interrupt(kernel, where, console)
        kernel.wait(running)
        assert kernel.wait(following)[0].result == "'unharmed'"


def test_other_exceptions_are_shown_as_ever(kernel: Wire, where: str | None, console: str) -> None:
    fails = "class Fails:\n    def __del__(self): raise {}\nit = Fails(); del it"
    for error in ("ZeroDivisionError", "KeyboardInterrupt"):
        answer = kernel.execute(fails.format(error), subshell=where)
        assert answer.status == "ok"
        assert "Exception ignored in" in answer.text("stderr")
        assert error in answer.text("stderr")


HOOK = """
found, former = [], sys.unraisablehook
sys.unraisablehook = lambda args: found.append(args.exc_type.__name__)
it = Fails(); del it
sys.unraisablehook = former
found
"""


def test_a_hook_of_ones_own(kernel: Wire, where: str | None, console: str) -> None:
    made = "class Fails:\n    def __del__(self): 1 / 0"
    assert kernel.execute(made, subshell=console).status == "ok"
    assert kernel.execute(HOOK, subshell=where).result == "['ZeroDivisionError']"
