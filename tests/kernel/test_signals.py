"""Handlers of signals that people set themselves: what they raise is main's cell's."""

from __future__ import annotations

import signal

import pytest

from tests.wire import TIMEOUT, KernelProcess, Wire

HANDLER = """
import signal
class Rang(Exception): pass
def ring(number, frame): raise Rang(signal.Signals(number).name)
former = {number: signal.signal(number, ring) for number in (signal.SIGUSR1, signal.SIGALRM)}
"""
PUT_BACK = "for number, handler in former.items(): signal.signal(number, handler)"
IN_MAIN = {
    "looping": "while True: pass",
    "in a function": "def spin():\n    while True: pass\nspin()",
    "sleeping": "time.sleep(600)",
    "waiting": "threading.Event().wait(600)",
}


@pytest.mark.parametrize("doing", IN_MAIN)
def test_what_a_handler_raises_ends_the_cell_of_main_and_no_other(
    kernel: Wire, child: str, process: KernelProcess, doing: str
) -> None:
    kernel.execute(HANDLER)
    bystanders = [
        kernel.begin(f"{code}\n'unharmed'", subshell=kernel.create())
        for code in (
            "go.wait()",
            "while not go.is_set(): pass",
            "while not go.is_set(): time.sleep(0.02)",
            "while not go.is_set(): await asyncio.sleep(0.01)",
        )
    ]
    main = kernel.begin(IN_MAIN[doing])
    process.signal(signal.SIGUSR1)
    (answer,) = kernel.wait(main)
    assert (answer.content["ename"], answer.content["evalue"]) == ("Rang", "SIGUSR1")
    assert [error["ename"] for error in answer.of("error")] == ["Rang"]
    kernel.execute("go.set()")
    assert [answer.result for answer in kernel.wait(*bystanders)] == ["'unharmed'"] * 4
    kernel.execute(PUT_BACK)


def test_an_alarm_as_a_time_limit(kernel: Wire, child: str) -> None:
    kernel.execute(HANDLER)
    running = kernel.begin("while not go.is_set(): pass\n'unharmed'", subshell=child)
    for _ in range(5):
        answer = kernel.execute(
            "signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
            "try:\n    while True: time.sleep(0)\n"
            "except Rang as error:\n    print('too long:', error)"
        )
        assert (answer.status, answer.text()) == ("ok", "too long: SIGALRM\n")
    kernel.execute("go.set()")
    assert kernel.wait(running)[0].result == "'unharmed'"
    kernel.execute(PUT_BACK)


@pytest.mark.parametrize("doing", ["idle", "awaiting"])
def test_a_handler_that_raises_outside_of_code_ends_the_process(
    kernel: Wire, child: str, process: KernelProcess, doing: str
) -> None:
    """As in the stock kernel: there is nothing of main's that it could end."""
    kernel.execute(HANDLER)
    running = kernel.begin("while True: pass", subshell=child)
    kernel.expect_reply[running] = False
    if doing == "awaiting":
        main = kernel.begin(
            "asyncio.get_running_loop().call_soon(print, 'awaits')\nawait asyncio.sleep(600)"
        )
        kernel.expect_reply[main] = False
        kernel.wait_for_text(main, "awaits")
    process.signal(signal.SIGUSR1)
    assert process.gone_within(TIMEOUT)
    assert process.process.returncode == 1


SEEN = """
import signal, threading
seen = []
def look(): seen.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
look()
thread = threading.Thread(target=look); thread.start(); thread.join()
seen.append(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
try: signal.getsignal(0)
except ValueError as error: seen.append(str(error))
seen
"""
OWN = """
import signal
def mine(number, frame): caught.append(number)
caught = []
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # as trio does
signal.signal(signal.SIGINT, mine)
assert signal.getsignal(signal.SIGINT) is mine
print("waits", flush=True)
while not caught: pass
signal.signal(signal.SIGINT, signal.default_int_handler)
caught
"""


def test_code_is_told_of_the_handler_of_the_stock_kernel(stock: Wire) -> None:
    """trio and asyncio.Runner take care of interrupts where it is Python's own."""
    expected = stock.execute(SEEN).result
    assert str(expected).startswith("[True, True, True, ")
    stock.execute("%load_ext ipyext")
    assert stock.execute(SEEN).result == expected
    running = stock.send_execute(OWN)
    stock.wait_for_text(running, "waits")
    stock.control("interrupt_request")
    assert stock.wait(running)[0].result == "[2]"
    running = stock.send_execute("print('waits', flush=True)\nwhile True: pass")
    stock.wait_for_text(running, "waits")
    stock.control("interrupt_request")
    assert stock.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    stock.execute("import signal; told = signal.getsignal\n%unload_ext ipyext")
    assert stock.execute("signal.getsignal is not told").result == "True"
    assert stock.execute(SEEN).result == expected


def test_an_interrupt_that_code_handles_itself_is_no_other_ones(
    kernel: Wire, process: KernelProcess
) -> None:
    """The next one comes from outside, while main is idle and a child is busy."""
    running = kernel.send_execute(OWN)
    kernel.wait_for_text(running, "waits")
    kernel.control("interrupt_request")
    assert kernel.wait(running)[0].result == "[2]"
    running = kernel.begin("while True: pass", subshell=kernel.create("it"))
    process.signal(signal.SIGINT)
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
