"""Code that runs in the middle of everything: finalizers, signal handlers, interrupts (G1, G2)."""

from __future__ import annotations

import pytest

from tests.wire import Wire

WHERE = pytest.mark.parametrize("where", ["main", "child"])

# The garbage collector runs at ever other places of the kernel's own code that prints, and of what
# that calls.
FINALIZERS = """
import gc, sys
class Loud:
    def __init__(self, number):
        self.number, self.me = number, self
    def __del__(self):
        gone.append(self.number)
        print('gone')
gone = []
former = gc.get_threshold()
try:
    for number in range(1000):
        gc.set_threshold(5 + number % 40)
        Loud(number)
        print('here', flush=number % 3 == 0)
finally:
    gc.set_threshold(*former)
"""


@WHERE
def test_finalizers_that_print(kernel: Wire, child: str, where: str) -> None:
    cell = kernel.execute(FINALIZERS, subshell=child if where == "child" else None)
    assert cell.status == "ok", cell.content
    assert cell.text().count("here") == 1000
    kernel.execute("gc.collect(); len(gone)")
    assert kernel.execute("sorted(gone) == [*range(1000)]").result == "True"
    # Each under the cell whose thread met it, wherever that was.
    everywhere = "".join(answer.text() for answer in kernel.answers.values())
    assert everywhere.count("gone") == 1000


SIGNALS = """
import signal
ticks = 0
def tick(*args):
    global ticks
    ticks += 1
    print('tick')
    signal.setitimer(signal.ITIMER_REAL, 0.0002 * (1 + ticks % 7))
former = signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.0005)
try:
    while ticks < 300:
        print('here', flush=ticks % 3 == 0)
finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)
ticks
"""


def test_signal_handlers_that_print(kernel: Wire) -> None:
    cell = kernel.execute(SIGNALS)
    assert cell.status == "ok", cell.content
    ticks = int(cell.result or 0)
    assert ticks >= 300
    assert cell.text().count("tick") == ticks


# Where an interrupt may arrive in what user code calls: where a function begins, and after a call.
EVERYWHERE = """
import sys
def raises_at(number):
    def profile(frame, event, arg):
        nonlocal number
        if event in ('call', 'c_return'):
            number -= 1
            if number == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt
    return profile
def everywhere(function):
    number = 0
    while True:
        number += 1
        sys.setprofile(raises_at(number))
        try:
            function()
            return number
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
"""


@WHERE
@pytest.mark.parametrize(
    "call", ["print('text', flush=True)", "display('text')", "print('text')", "sys.stdout.flush()"]
)
def test_an_interrupt_anywhere_in_what_prints(
    kernel: Wire, child: str, where: str, call: str
) -> None:
    """Afterwards messages are whole, and printing works."""
    subshell = child if where == "child" else None
    kernel.execute(EVERYWHERE)
    cell = kernel.execute(f"everywhere(lambda: {call})", subshell=subshell)
    assert cell.status == "ok", cell.content
    assert int(cell.result or 0) > 5, "it did not get far"
    alive = kernel.execute("get_ipython().kernel.iopub_thread.thread.is_alive()", subshell=subshell)
    assert alive.result == "True"
    for shell in (None, child):
        after = kernel.execute("print('after'); display('shown'); 1", subshell=shell)
        assert (after.text(), after.shown, after.result) == ("after\n", ["'shown'"], "1")


def test_text_that_cannot_be_sent_is_shown_escaped(kernel: Wire, child: str) -> None:
    """Lone surrogates. The stock kernel loses the text, and more with it."""
    cell = kernel.execute("print('before', '\\ud800', 'after')", subshell=child)
    assert cell.status == "ok", cell.content
    assert cell.text() == "before \\ud800 after\n"
