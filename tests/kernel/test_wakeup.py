"""Signals wake main's event loop: an interrupt is not left lying while main awaits something."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.wire import KernelProcess, Wire

# Then another thread takes the signal, and main's loop sleeps on. So it does with a signal that
# comes in the moment before it goes to sleep, which a test cannot aim at.
ELSEWHERE = "import asyncio, signal\nsignal.pthread_sigmask(signal.SIG_{}, [signal.SIGINT]);"
WAITS = (
    "try:\n    print('waits', flush=True)\n    await asyncio.sleep(600)\nfinally: print('ended')"
)
NOW = "import signal\nfound = signal.set_wakeup_fd(-1)\n_ = signal.set_wakeup_fd(found)\nfound"


@pytest.mark.parametrize("way", ["signal", "request"])
def test_an_interrupt_wakes_main(kernel: Wire, process: KernelProcess, way: str) -> None:
    kernel.execute(ELSEWHERE.format("BLOCK"))
    for _ in range(3):
        running = kernel.send_execute(WAITS)
        kernel.wait_for_text(running, "waits")
        if way == "signal":
            process.signal()
        else:
            kernel.control("interrupt_request")
        (answer,) = kernel.wait(running)
        assert answer.content["ename"] == "KeyboardInterrupt"
        assert answer.text() == "waits\nended\n"
    kernel.execute(ELSEWHERE.format("UNBLOCK"))


def test_a_signal_wakes_idle_main_for_children(kernel: Wire, process: KernelProcess) -> None:
    child = kernel.create()
    kernel.execute(ELSEWHERE.format("BLOCK"))
    running = kernel.send_execute("print('waits', flush=True)\nwhile True: pass", subshell=child)
    kernel.wait_for_text(running, "waits")
    process.signal()
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"
    kernel.execute(ELSEWHERE.format("UNBLOCK"))


def test_a_kernel_that_loads_it_as_it_starts(
    start_kernel: Callable[..., KernelProcess],
) -> None:
    process = start_kernel("--ext", "ipyext")
    kernel = process.connect()
    assert int(str(kernel.execute(NOW).result)) >= 0
    kernel.execute(ELSEWHERE.format("BLOCK"))
    running = kernel.send_execute(WAITS)
    kernel.wait_for_text(running, "waits")
    process.signal()
    assert kernel.wait(running)[0].content["ename"] == "KeyboardInterrupt"


def test_unloading_gives_it_back(stock: Wire) -> None:
    assert stock.execute(NOW).result == "-1"
    for _ in range(3):
        stock.execute("%load_ext ipyext")
        assert int(str(stock.execute(NOW).result)) >= 0
        stock.execute("%unload_ext ipyext")
        assert stock.execute(NOW).result == "-1"


def test_somebody_elses_stays(stock: Wire) -> None:
    stock.execute("import signal, socket\nown = socket.socketpair()\nown[1].setblocking(False)")
    set_ = "_ = signal.set_wakeup_fd(own[1].fileno())"
    is_there = NOW + " == own[1].fileno()"
    for before in (True, False):
        stock.execute(set_ if before else "_ = signal.set_wakeup_fd(-1)")
        stock.execute("%load_ext ipyext")
        stock.execute(set_)
        assert stock.execute(is_there).result == "True"
        stock.execute("%unload_ext ipyext")
        assert stock.execute(is_there).result == "True"
    stock.execute("_ = signal.set_wakeup_fd(-1)")
