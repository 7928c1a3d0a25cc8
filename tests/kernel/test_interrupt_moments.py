"""Interrupts at the moments in which they are easily lost, or hit what they are not meant for."""

from __future__ import annotations

import os
import random
import time

import psutil
import pytest

from tests.wire import KernelProcess, Wire

ROUNDS = int(os.environ.get("IPYEXT_INTERRUPTS", "60"))


@pytest.fixture
def it(kernel: Wire, child: str) -> str:
    """A child named ``it``."""
    return kernel.create("it")


@pytest.mark.parametrize("shell", ["main", "child"])
def test_an_interrupt_as_an_awaiting_cell_begins(
    kernel: Wire, it: str, process: KernelProcess, shell: str
) -> None:
    """Wherever it lands, it ends the cell, with its traceback, and nothing else."""
    moments, where = random.Random(3), it if shell == "child" else None
    for _ in range(60):
        cell = kernel.send_execute("await asyncio.sleep(0.3)", subshell=where, stop_on_error=False)
        end = time.perf_counter() + moments.random() * 0.008
        while time.perf_counter() < end:
            pass
        stop = kernel.send(
            "interrupt_request", {"subshell_id": where} if where else {}, channel="control"
        )
        answer, _ = kernel.wait(cell, stop)
        assert len(answer.of("error")) == (answer.status == "error"), answer
    assert process.process.poll() is None
    assert kernel.execute("1 + 1", subshell=where).result == "2"


ENDING = [
    "sum(range(3000))",
    "for n in range(3): print(n)",
    "for _ in range(5): await asyncio.sleep(0)",
    "try:\n    sum(range(3000))\nfinally:\n    print('finally')",
    "1 / 0",
    "%%time\nsum(range(3000))",
]


@pytest.mark.parametrize("shell", ["main", "child", "child by the stop button"])
def test_an_interrupt_as_a_cell_ends_never_hits_the_next(kernel: Wire, it: str, shell: str) -> None:
    """It comes a little later after each that has hit, and earlier after each that has not."""
    where = None if shell == "main" else it
    stop = {"subshell_id": it} if shell == "child" else {}
    rng, delays, hits = random.Random(11), dict.fromkeys(ENDING, 0.001), 0
    for _ in range(ROUNDS):
        code = rng.choice(ENDING)
        cell = kernel.send_execute(code, subshell=where, stop_on_error=False)
        kernel.until(lambda cell=cell: kernel.answers[cell].states, what="the cell's beginning")
        end = time.perf_counter() + delays[code]
        while time.perf_counter() < end:
            pass
        stopping = kernel.send("interrupt_request", stop, channel="control")
        answer, _ = kernel.wait(cell, stopping)
        hit = answer.status == "error" and answer.content["ename"] == "KeyboardInterrupt"
        hits += hit
        delays[code] = max(0.0, delays[code] + rng.random() * (0.0005 if hit else -0.0005))
        following = kernel.execute("'unharmed'", subshell=where)
        assert following.result == "'unharmed'", (code, following.content)
    assert 0 < hits < ROUNDS, "all of them came too early, or too late"


AS_IT_BECOMES_IDLE = """
import os, signal, threading
from ipyext.shells.request import Request
finish = Request.finish
def interrupted(self):
    if threading.current_thread() is threading.main_thread():
        Request.finish = finish
        os.kill(os.getpid(), signal.SIGINT)
    finish(self)
Request.finish = interrupted
"""


def test_a_signal_as_main_becomes_idle_is_for_children(kernel: Wire, it: str) -> None:
    """Whoever sends it may have heard that main is idle."""
    running = kernel.begin("while True: pass", subshell=it)
    assert kernel.execute(AS_IT_BECOMES_IDLE).status == "ok"
    (answer,) = kernel.wait(running)
    assert answer.content["ename"] == "KeyboardInterrupt"


def test_many_interrupts_between_short_cells_end_no_shell(
    kernel: Wire, it: str, process: KernelProcess
) -> None:
    for _ in range(50):
        cell = kernel.send_execute("sum(range(1000))", subshell=it)
        kernel.wait(kernel.send("interrupt_request", {"subshell_id": it}, channel="control"), cell)
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"
    assert kernel.execute("'alive'").result == "'alive'"


INNERMOST = """
import traceback
[(frame.name, frame.line) for frame in traceback.extract_tb(sys.last_traceback)][-1]
"""


@pytest.mark.parametrize("how", ["interrupt_request", "SIGINT"])
def test_the_traceback_of_an_interrupted_main_ends_in_its_own_code(
    kernel: Wire, child: str, process: KernelProcess, how: str
) -> None:
    kernel.execute("def forever():\n    while True: pass")
    running = kernel.begin("forever()")
    if how == "SIGINT":
        process.signal()
    else:
        kernel.control("interrupt_request")
    (answer,) = kernel.wait(running)
    assert answer.content["ename"] == "KeyboardInterrupt"
    text = "".join(answer.content["traceback"])
    assert "forever" in text
    assert "ipyext" not in text
    assert kernel.execute(INNERMOST).result == repr(("forever", "while True: pass"))


SLOW = """
import time, ipyext.extension as e
gate = e.active().engine.registry.find('it').gate
interrupt = gate.interrupt
def slowly():
    time.sleep(0.5)
    return interrupt()
gate.interrupt = slowly
"""


@pytest.mark.parametrize(
    "code",
    ["import os\nos.system('sleep 600')", "import subprocess\nsubprocess.call(['sleep', '600'])"],
)
def test_the_exception_comes_before_its_process_ends(
    process: KernelProcess, kernel: Wire, it: str, code: str
) -> None:
    """The cell has nothing to do after it, and would end well."""
    assert kernel.execute(SLOW).status == "ok"
    running = kernel.begin(code, subshell=it)
    mine = psutil.Process(process.process.pid)
    kernel.until(lambda: any(p.name() == "sleep" for p in mine.children(recursive=True)))
    kernel.control("interrupt_request", {"subshell_id": it})
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    assert kernel.execute("'alive'", subshell=it).result == "'alive'"


NOWHERE = """
import sys
def nowhere(): raise KeyboardInterrupt
code = nowhere.__code__
size = len(code.co_code)
if sys.version_info >= (3, 11):  # eight instructions each that belong to no line
    table = bytes(0xF8 | min(7, size // 2 - at - 1) for at in range(0, size // 2, 8))
else:
    table = bytes([size, 0x80])
nowhere.__code__ = code.replace(co_linetable=table)
"""


@pytest.mark.parametrize("shell", ["main", "child"])
def test_an_interrupt_that_hits_no_line_is_shown(kernel: Wire, it: str, shell: str) -> None:
    assert kernel.execute(NOWHERE).status == "ok"
    answer = kernel.execute("nowhere()", subshell=it if shell == "child" else None)
    assert [e["ename"] for e in answer.of("error")] == ["KeyboardInterrupt"]
    assert answer.text("stderr") == ""


# Not where a child's cell calls it: then it is for children, as main is idle.
CALLBACK = """
import signal, threading
names = {"__name__": "IPython.for_this_test", "signal": signal, "threading": threading}
exec('''
def press(*args):
    if threading.current_thread() is threading.main_thread():
        signal.raise_signal(signal.SIGINT)
''', names)
"""


@pytest.mark.parametrize("event", ["pre_execute", "pre_run_cell"])
def test_an_interrupt_during_callbacks_of_ipythons(kernel: Wire, event: str) -> None:
    """They swallow what is raised in them."""
    assert kernel.execute(CALLBACK + f"press, event, ran = names['press'], {event!r}, 0").status
    on = "get_ipython().events.register(event, press)"
    assert kernel.execute(on).status == "ok"
    answer = kernel.execute("ran += 1")
    assert [e["ename"] for e in answer.of("error")] == ["KeyboardInterrupt"]
    assert answer.content["ename"] == "KeyboardInterrupt"
    off = "get_ipython().events.unregister(event, press)"
    assert kernel.execute(off, subshell=kernel.create()).status == "ok"
    assert kernel.execute("ran").result == "0"
